import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import { MathExpression } from 'aws-cdk-lib/aws-cloudwatch';
import { FilterPattern, type IFilterPattern, type LogGroup } from 'aws-cdk-lib/aws-logs';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import type { Construct } from 'constructs';
import type { Channel, Ferry } from '../../config/schema.ts';
import { Alarms } from '../alarms.ts';
import { names } from '../names.ts';
import { CdnSecret } from './cdn-secret.ts';
import { MediaChannel } from './channel.ts';
import { Delivery } from './delivery.ts';
import { Endpoints } from './endpoints.ts';

export interface PackagingProps extends StackProps {
  readonly ferry: Ferry;
  readonly channel: Channel;
}

/**
 * One channel's packaging and delivery: what has the playback URLs.
 *
 * It lives as long as anybody has such a URL, and knows nothing of the relay.
 */
export class PackagingStack extends Stack {
  constructor(scope: Construct, id: string, { ferry, channel: config, ...props }: PackagingProps) {
    const removal = config.removal ?? ferry.removal;
    super(scope, id, {
      description: `HLS Ferry: packaging and delivery of ${config.name}`,
      // The playback URLs cannot be had back.
      terminationProtection: removal === 'retain',
      ...props,
    });

    const channel = new MediaChannel(this, 'Media', {
      channelId: names.channelId(ferry.name, config.name),
      logDays: ferry.logDays,
    });
    const secret = new CdnSecret(this, 'Cdn');
    const endpoints = new Endpoints(this, 'Endpoints', { ferry: ferry.name, config, channel, secret });
    const delivery = new Delivery(this, 'Delivery', {
      config,
      removal,
      logDays: ferry.logDays,
      host: endpoints.host,
      endpoints: endpoints.all,
      header: secret.header,
    });

    if (ferry.alarms) {
      const alarms = new Alarms(this, 'Alarms', {
        whose: `${ferry.name}/${config.name}`,
        email: config.alarmEmail ?? ferry.alarmEmail,
      });
      watch(alarms, channel.ingressLog, `${names.metrics(ferry.name)}/${config.name}`);
    }

    new StringParameter(this, 'ChannelArn', {
      description: 'By which the relay finds the channel',
      parameterName: names.channelArnParameter(ferry.name, config.name),
      stringValue: channel.channel.attrArn,
    });
    for (const { format, manifest } of endpoints.all) {
      const name = format.charAt(0).toUpperCase() + format.slice(1);
      new CfnOutput(this, `MediaPackage${name}Url`, {
        description: `${format} at MediaPackage, which answers to CloudFront only`,
        value: `https://${endpoints.host}${manifest}`,
      });
      new CfnOutput(this, `CloudFront${name}Url`, {
        description: `${format} for players`,
        value: `https://${delivery.host}${manifest}`,
      });
    }
    new CfnOutput(this, 'IngestSecretName', {
      description: 'The secret with the addresses and credentials of the two inputs, made by the relay stack',
      value: names.ingestSecret(ferry.name, config.name),
    });
    new CfnOutput(this, 'ChannelId', { description: "MediaPackage's id", value: channel.channel.ref });
  }
}

/**
 * Alarms when MediaPackage denies more than it accepts.
 *
 * It is known to answer 201 to wrong credentials and to say 401 in its log only. One 401 begins each nonce of
 * digest authentication, so a few are no news.
 */
function watch(alarms: Alarms, log: LogGroup, metricNamespace: string): void {
  const count = (metricName: string, filterPattern: IFilterPattern) =>
    log
      .addMetricFilter(metricName, { filterPattern, metricNamespace, metricName })
      .metric({ statistic: 'Sum' });
  alarms.add('IngestDenied', {
    metric: new MathExpression({
      label: 'denied more than accepted',
      expression: 'IF(denied > FILL(accepted, 0), 1, 0)',
      usingMetrics: {
        denied: count('IngestDenied', status(401, 403)),
        accepted: count('IngestAccepted', status(200, 201, 204)),
      },
    }),
    threshold: 1,
    evaluationPeriods: 2,
    says: 'MediaPackage denies what is pushed to it.',
    runbook: 'MediaPackage denies the credentials',
  });
}

/** The log lines with one of `codes`, which it has as strings. */
function status(...codes: number[]): IFilterPattern {
  const tests = codes.map((code) => `$.statusCode = "${code}" || $.statusCode = ${code}`);
  return FilterPattern.literal(`{ ${tests.join(' || ')} }`);
}
