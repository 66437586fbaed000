import { CustomResource, Duration } from 'aws-cdk-lib';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import * as cloudfront from 'aws-cdk-lib/aws-cloudfront';
import { FunctionUrlOrigin } from 'aws-cdk-lib/aws-cloudfront-origins';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import { Construct } from 'constructs';
import type { Ferry } from '../../config/schema.ts';
import { acknowledge } from '../acknowledge.ts';
import { timeouts } from '../timeouts.ts';
import type { FerryFunction } from './function.ts';

export interface PlayoutProps {
  readonly ferry: Ferry;
  readonly channels: FerryFunction;
}

/**
 * Where viewers read channels that are made of VODs: CloudFront, and behind it the function, which answers
 * to this distribution only and gives playlists only.
 */
export class Playout extends Construct {
  /** Where they are: `<url>/channels/<id>/master.m3u8`. */
  readonly url: string;

  constructor(scope: Construct, id: string, { ferry, channels }: PlayoutProps) {
    super(scope, id);
    const { domain, webAclArn } = ferry.playout;
    // The distribution signs what it asks for: nobody else is permitted to call the function's address.
    const address = channels.addFunctionUrl({ authType: lambda.FunctionUrlAuthType.AWS_IAM });
    const distribution = new cloudfront.Distribution(this, 'Distribution', {
      comment: `HLS Ferry: channels of ${ferry.name}`,
      defaultBehavior: {
        origin: FunctionUrlOrigin.withOriginAccessControl(address, { readTimeout: Duration.seconds(10) }),
        allowedMethods: cloudfront.AllowedMethods.ALLOW_GET_HEAD_OPTIONS,
        viewerProtocolPolicy: cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        cachePolicy: new cloudfront.CachePolicy(this, 'Playlists', {
          comment: 'Playlists say themselves until when they stay as they are',
          // Of which channel `/live/master.m3u8` is asked; nothing else makes another playlist.
          queryStringBehavior: cloudfront.CacheQueryStringBehavior.allowList('channel'),
          enableAcceptEncodingGzip: true,
          enableAcceptEncodingBrotli: false,
          minTtl: Duration.seconds(0),
          defaultTtl: Duration.seconds(0),
          maxTtl: Duration.days(1),
        }),
        // The function says so itself; this is for what CloudFront answers by itself.
        responseHeadersPolicy: cloudfront.ResponseHeadersPolicy.CORS_ALLOW_ALL_ORIGINS,
      },
      errorResponses: [403, 404, 500, 502, 503, 504].map((httpStatus) => ({
        httpStatus,
        ttl: Duration.seconds(1),
      })),
      httpVersion: cloudfront.HttpVersion.HTTP2_AND_3,
      webAclId: webAclArn,
      ...(domain && {
        domainNames: domain.names,
        certificate: Certificate.fromCertificateArn(this, 'Certificate', domain.certificateArn),
        minimumProtocolVersion: cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
      }),
    });
    this.url = `https://${domain?.names[0] ?? distribution.distributionDomainName}`;
    acknowledge(distribution, {
      CFR1: 'VODs are where their owner put them; who may watch them is said there.',
      CFR2: 'A web ACL costs by the request and is for the owner to choose (playout.webAclArn).',
      CFR3: 'Every player asks every few seconds: logs of that would cost more than the channels.',
      ...(!domain && {
        CFR4: "CloudFront's own certificate fixes the protocol; with playout.domain it is TLS 1.2 of 2021.",
      }),
    });
  }
}

export interface ScheduledProps extends PlayoutProps {
  /** What must be there before anything can be asked of the function, and go after it. */
  readonly needs: Construct[];
}

/** The assets and the channels that the configuration names, made by the API's own rules. */
export class Scheduled extends Construct {
  private readonly made: Record<string, CustomResource> = {};

  constructor(scope: Construct, id: string, { ferry, channels, needs }: ScheduledProps) {
    super(scope, id);
    const { playout } = ferry;
    const make = (resourceType: string, at: string, properties: Record<string, string>) => {
      const resource = new CustomResource(this, at, {
        resourceType,
        serviceToken: channels.functionArn,
        serviceTimeout: Duration.seconds(timeouts.customResource),
        properties,
      });
      resource.node.addDependency(...needs);
      return resource;
    };
    const assets = playout.assets.map(({ id: asset, title, url }) =>
      make('Custom::Asset', `Asset-${asset}`, { Id: asset, Url: url, ...(title && { Title: title }) }),
    );
    for (const { id: channel, ...asked } of playout.channels) {
      const { targetDuration, windowSeconds, fill, ...rest } = asked;
      const { aheadSeconds, ...filled } = fill ?? {};
      const body = {
        ...rest,
        target_duration: targetDuration,
        window_seconds: windowSeconds,
        ...(fill && { fill: { ...filled, ahead_seconds: aheadSeconds } }),
      };
      // A channel learns of an asset that was changed when it is asked for again.
      const changed = JSON.stringify(Object.fromEntries(playout.assets.map(({ id, url }) => [id, url])));
      const made = make('Custom::Channel', `Channel-${channel}`, {
        Id: channel,
        Channel: JSON.stringify(body),
        Assets: changed,
      });
      made.node.addDependency(...assets);
      this.made[channel] = made;
    }
  }

  /** What must be there before a channel plays. */
  needed(channel: string): Construct[] {
    const made = this.made[channel];
    return made ? [made] : [];
  }
}
