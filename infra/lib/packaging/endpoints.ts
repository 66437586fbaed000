import { Fn } from 'aws-cdk-lib';
import { CfnOriginEndpoint, type CfnOriginEndpointProps } from 'aws-cdk-lib/aws-mediapackage';
import { Construct } from 'constructs';
import type { Channel, Format } from '../../config/schema.ts';
import { names } from '../names.ts';
import type { CdnSecret } from './cdn-secret.ts';
import type { MediaChannel } from './channel.ts';

/** How much a live playlist lists. */
const LIVE_SECONDS = 60;
/** CMAF is the one format in which a manifest has an id, which is part of its address. */
const CMAF_MANIFEST = 'cmaf';

/** The name of a format's manifest below its endpoint. */
const manifests: Record<Format, string> = {
  hls: 'index.m3u8',
  dvr: 'index.m3u8',
  dash: 'index.mpd',
  cmaf: `${CMAF_MANIFEST}/index.m3u8`,
  mss: 'index.ism/Manifest',
};

/** What a format's playlists end with. */
const endings: Record<Format, string> = {
  hls: '.m3u8',
  dvr: '.m3u8',
  dash: '.mpd',
  cmaf: '.m3u8',
  mss: '/Manifest',
};

/** Where one format is played. */
export interface Endpoint {
  readonly format: Format;
  /** The manifest's path. */
  readonly manifest: string;
  /** The pattern of the paths of playlists. */
  readonly playlists: string;
  /** The pattern of the paths of everything. */
  readonly everything: string;
}

export interface EndpointsProps {
  readonly ferry: string;
  readonly config: Channel;
  readonly channel: MediaChannel;
  readonly secret: CdnSecret;
}

/** One endpoint of MediaPackage per format. */
export class Endpoints extends Construct {
  /** The host of them all. */
  readonly host: string;
  readonly all: Endpoint[];

  constructor(scope: Construct, id: string, { ferry, config, channel, secret }: EndpointsProps) {
    super(scope, id);
    const made = config.formats.map((format) => {
      const endpoint = new CfnOriginEndpoint(this, format, {
        id: names.endpointId(ferry, config.name, format),
        channelId: channel.channel.ref,
        description: `${config.name} as ${format}`,
        manifestName: 'index',
        authorization: secret.authorization,
        ...packages[format](config),
      });
      // The role is of use only once its policy is attached.
      endpoint.node.addDependency(secret.role);
      return { format, endpoint };
    });

    // A CMAF endpoint has addresses per manifest and leaves its own empty; all endpoints of a channel have one
    // host. The configuration sees to it that there is another.
    const other = made.find(({ format }) => format !== 'cmaf');
    if (!other) {
      throw new Error('a channel has an endpoint beside its CMAF endpoint');
    }
    this.host = Fn.select(2, Fn.split('/', other.endpoint.attrUrl));
    this.all = made.map(({ format, endpoint }) => {
      const key = format === 'cmaf' ? inArn(endpoint) : inUrl(endpoint);
      const root = `/out/v1/${key}`;
      return {
        format,
        manifest: `${root}/${manifests[format]}`,
        playlists: `${root}/*${endings[format]}`,
        everything: `${root}/*`,
      };
    });
  }
}

/** `https://<host>/out/v1/<key>/index.m3u8` */
const inUrl = (endpoint: CfnOriginEndpoint) => Fn.select(5, Fn.split('/', endpoint.attrUrl));
/** `arn:aws:mediapackage:<region>:<account>:origin_endpoints/<key>`, with the same key. */
const inArn = (endpoint: CfnOriginEndpoint) => Fn.select(1, Fn.split('/', endpoint.attrArn));

const packages: Record<Format, (config: Channel) => Partial<CfnOriginEndpointProps>> = {
  hls: (config) => ({ hlsPackage: hls(config, LIVE_SECONDS) }),
  dvr: (config) => ({
    hlsPackage: hls(config, config.dvrPlaylistSeconds),
    startoverWindowSeconds: config.startOverSeconds,
    timeDelaySeconds: config.timeDelaySeconds,
  }),
  dash: ({ segmentSeconds }) => ({
    dashPackage: {
      segmentDurationSeconds: segmentSeconds,
      manifestWindowSeconds: LIVE_SECONDS,
      minUpdatePeriodSeconds: segmentSeconds,
      minBufferTimeSeconds: 2 * segmentSeconds,
      suggestedPresentationDelaySeconds: 3 * segmentSeconds,
      segmentTemplateFormat: 'NUMBER_WITH_TIMELINE',
      includeIframeOnlyStream: true,
      // A DASH manifest has SCTE-35 markers only where a period begins with each.
      periodTriggers: ['ADS'],
      adsOnDeliveryRestrictions: 'BOTH',
    },
  }),
  cmaf: ({ segmentSeconds }) => ({
    cmafPackage: {
      segmentDurationSeconds: segmentSeconds,
      hlsManifests: [
        {
          id: CMAF_MANIFEST,
          manifestName: 'index',
          adMarkers: 'PASSTHROUGH',
          includeIframeOnlyStream: true,
          playlistType: 'NONE',
          playlistWindowSeconds: LIVE_SECONDS,
          programDateTimeIntervalSeconds: 1,
        },
      ],
    },
  }),
  mss: ({ segmentSeconds }) => ({
    mssPackage: { segmentDurationSeconds: segmentSeconds, manifestWindowSeconds: LIVE_SECONDS },
  }),
};

function hls(config: Channel, playlistWindowSeconds: number): CfnOriginEndpoint.HlsPackageProperty {
  return {
    segmentDurationSeconds: config.segmentSeconds,
    playlistWindowSeconds,
    playlistType: 'NONE',
    adMarkers: 'PASSTHROUGH',
    includeIframeOnlyStream: true,
    // Every segment has its time: players show it, and `?start=` can be worked out from it.
    programDateTimeIntervalSeconds: 1,
    useAudioRenditionGroup: true,
  };
}
