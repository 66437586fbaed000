import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import { HttpOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import * as s3 from 'aws-cdk-lib/aws-s3';
import { Construct } from 'constructs';
import type { Channel } from '../../config/schema.ts';
import { acknowledge } from '../acknowledge.ts';
import type { Endpoint } from './endpoints.ts';

/** What MediaPackage understands in the address of a playlist, and so what makes it another playlist. */
const PLAYLIST_QUERY = ['m', 'start', 'end', 'time_delay', 'aws.manifestfilter', 'aws.manifestsettings'];

/** All errors that CloudFront would otherwise keep for ten seconds, as long as a player may wait. */
const ERRORS = [400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504];

const reaches = {
  all: cloudfront.PriceClass.PRICE_CLASS_ALL,
  most: cloudfront.PriceClass.PRICE_CLASS_200,
  least: cloudfront.PriceClass.PRICE_CLASS_100,
};

export interface DeliveryProps {
  readonly config: Channel;
  readonly removal: 'retain' | 'destroy';
  readonly logDays: number;
  /** The host of the endpoints. */
  readonly host: string;
  readonly endpoints: Endpoint[];
  /** What the origin asks to be shown. */
  readonly header: Record<string, string>;
}

/** The CloudFront distribution: playlists are kept for moments, segments for long, errors for a second. */
export class Delivery extends Construct {
  readonly distribution: cloudfront.Distribution;
  /** The host of the playback URLs. */
  readonly host: string;

  constructor(scope: Construct, id: string, props: DeliveryProps) {
    super(scope, id);
    const { config } = props;

    const common = {
      origin: new HttpOrigin(props.host, {
        protocolPolicy: cloudfront.OriginProtocolPolicy.HTTPS_ONLY,
        originSslProtocols: [cloudfront.OriginSslPolicy.TLS_V1_2],
        customHeaders: props.header,
      }),
      allowedMethods: cloudfront.AllowedMethods.ALLOW_GET_HEAD_OPTIONS,
      cachedMethods: cloudfront.CachedMethods.CACHE_GET_HEAD_OPTIONS,
      viewerProtocolPolicy: cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
      responseHeadersPolicy: this.cors(config.allowedOrigins),
    };
    const playlists = { ...common, cachePolicy: this.playlists(config.segmentSeconds), compress: true };
    // Knows `m`, which changes when the endpoint does, and keeps a segment as long as MediaPackage says.
    const segments = {
      ...common,
      cachePolicy: cloudfront.CachePolicy.ELEMENTAL_MEDIA_PACKAGE,
      compress: false,
    };

    const behaviors: Record<string, cloudfront.BehaviorOptions> = {};
    for (const endpoint of props.endpoints) {
      const smoothStreaming = endpoint.format === 'mss' || undefined;
      behaviors[endpoint.playlists] = { ...playlists, smoothStreaming };
      if (smoothStreaming) {
        behaviors[endpoint.everything] = { ...segments, smoothStreaming };
      }
    }

    this.distribution = new cloudfront.Distribution(this, 'Distribution', {
      comment: `HLS Ferry: ${config.name}`,
      defaultBehavior: segments,
      additionalBehaviors: behaviors,
      errorResponses: ERRORS.map((httpStatus) => ({ httpStatus, ttl: Duration.seconds(1) })),
      httpVersion: cloudfront.HttpVersion.HTTP2_AND_3,
      priceClass: reaches[config.reach],
      geoRestriction: geo(config.geo),
      webAclId: config.webAclArn,
      ...(config.domain && {
        domainNames: config.domain.names,
        certificate: Certificate.fromCertificateArn(this, 'Certificate', config.domain.certificateArn),
        minimumProtocolVersion: cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
      }),
      ...(config.accessLogs && { enableLogging: true, logBucket: this.logs(props) }),
    });
    this.host = config.domain?.names[0] ?? this.distribution.distributionDomainName;

    acknowledge(this.distribution, {
      CFR1: 'Whether a channel may be watched everywhere is for its owner to say (channels[].geo).',
      CFR2: 'A web ACL costs by the request and is for the owner to choose (channels[].webAclArn).',
      ...(!config.accessLogs && { CFR3: 'The owner has switched access logs off (channels[].accessLogs).' }),
      ...(!config.domain && {
        CFR4: "CloudFront's own certificate fixes the protocol; with channels[].domain it is TLS 1.2 of 2021.",
      }),
    });
  }

  private playlists(segmentSeconds: number): cloudfront.CachePolicy {
    return new cloudfront.CachePolicy(this, 'Playlists', {
      comment: 'Live playlists, with what MediaPackage understands in their address',
      queryStringBehavior: cloudfront.CacheQueryStringBehavior.allowList(...PLAYLIST_QUERY),
      enableAcceptEncodingGzip: true,
      enableAcceptEncodingBrotli: true,
      // MediaPackage says how long; this is for when it does not. A playlist older than a segment is stale.
      minTtl: Duration.seconds(0),
      defaultTtl: Duration.seconds(1),
      maxTtl: Duration.seconds(segmentSeconds),
    });
  }

  private cors(origins: string[]): cloudfront.ResponseHeadersPolicy {
    return new cloudfront.ResponseHeadersPolicy(this, 'Cors', {
      comment: 'Who may play the channel from a page',
      corsBehavior: {
        accessControlAllowOrigins: origins,
        accessControlAllowMethods: ['GET', 'HEAD', 'OPTIONS'],
        accessControlAllowHeaders: ['*'],
        accessControlExposeHeaders: ['*'],
        accessControlAllowCredentials: false,
        accessControlMaxAge: Duration.days(1),
        originOverride: true,
      },
    });
  }

  private logs({ removal, logDays }: DeliveryProps): s3.Bucket {
    const bucket = new s3.Bucket(this, 'Logs', {
      // CloudFront writes by access-control list.
      objectOwnership: s3.ObjectOwnership.BUCKET_OWNER_PREFERRED,
      blockPublicAccess: s3.BlockPublicAccess.BLOCK_ALL,
      encryption: s3.BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      lifecycleRules: [{ expiration: Duration.days(logDays) }],
      removalPolicy: removal === 'destroy' ? RemovalPolicy.DESTROY : RemovalPolicy.RETAIN,
      autoDeleteObjects: removal === 'destroy' || undefined,
    });
    acknowledge(bucket, { S1: 'It holds logs itself; a log of who reads logs would need another.' });
    return bucket;
  }
}

function geo(restriction: Channel['geo']): cloudfront.GeoRestriction | undefined {
  if (!restriction) {
    return undefined;
  }
  return 'allow' in restriction
    ? cloudfront.GeoRestriction.allowlist(...restriction.allow)
    : cloudfront.GeoRestriction.denylist(...restriction.deny);
}
