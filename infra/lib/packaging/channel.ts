import { RemovalPolicy } from 'aws-cdk-lib';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as mediapackage from 'aws-cdk-lib/aws-mediapackage';
import { Construct } from 'constructs';

export interface MediaChannelProps {
  readonly channelId: string;
  readonly logDays: number;
}

/** The MediaPackage channel: two inputs that take PUTs, and a log of who put and who fetched what. */
export class MediaChannel extends Construct {
  readonly channel: mediapackage.CfnChannel;
  readonly ingressLog: logs.LogGroup;

  constructor(scope: Construct, id: string, props: MediaChannelProps) {
    super(scope, id);
    const log = (direction: 'ingress' | 'egress') =>
      new logs.LogGroup(this, `${direction}-log`, {
        // MediaPackage takes no other beginning, and no further slash.
        logGroupName: `/aws/MediaPackage/${props.channelId}-${direction}`,
        retention: props.logDays,
        removalPolicy: RemovalPolicy.DESTROY,
      });
    this.ingressLog = log('ingress');
    this.channel = new mediapackage.CfnChannel(this, 'Channel', {
      id: props.channelId,
      description: 'Filled by HLS Ferry',
      ingressAccessLogs: { logGroupName: this.ingressLog.logGroupName },
      egressAccessLogs: { logGroupName: log('egress').logGroupName },
    });
  }
}
