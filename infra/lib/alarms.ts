import { Aws, CfnOutput, Stack } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as sns from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import { Construct } from 'constructs';

/** When somebody is told, and what they read then. */
export interface AlarmProps extends cloudwatch.CreateAlarmOptions {
  readonly metric: cloudwatch.IMetric;
  /** What is wrong, in a sentence. */
  readonly says: string;
  /** The heading in `RUNBOOK.md` that says what to do. */
  readonly runbook: string;
  /** The channel that it is about; absent: all. */
  readonly channel?: string;
}

export interface AlarmsProps {
  /** What the names of the alarms begin with. */
  readonly whose: string;
  /** Who is told. */
  readonly email?: string;
}

/** The alarms of a stack, and the topic that tells of them. */
export class Alarms extends Construct {
  readonly topic: sns.Topic;
  readonly all: cloudwatch.Alarm[] = [];

  private readonly whose: string;

  constructor(scope: Construct, id: string, { whose, email }: AlarmsProps) {
    super(scope, id);
    this.whose = whose;
    this.topic = new sns.Topic(this, 'Topic', { enforceSSL: true });
    // A policy of its own takes the place of the one by which CloudWatch could publish.
    this.topic.addToResourcePolicy(
      new iam.PolicyStatement({
        actions: ['sns:Publish'],
        principals: [new iam.ServicePrincipal('cloudwatch.amazonaws.com')],
        resources: [this.topic.topicArn],
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    );
    if (email) {
      this.topic.addSubscription(new EmailSubscription(email));
    }
    new CfnOutput(Stack.of(this), 'AlarmTopicArn', {
      description: 'Tells of the alarms of this stack',
      value: this.topic.topicArn,
    });
  }

  /** Adds an alarm, which tells when it begins and when it is over. */
  add(id: string, { metric, says, runbook, channel, ...options }: AlarmProps): void {
    const alarm = new cloudwatch.Alarm(this, id, {
      alarmName: `${[this.whose, channel].filter(Boolean).join('/')}: ${runbook}`,
      metric,
      comparisonOperator: cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
      treatMissingData: cloudwatch.TreatMissingData.NOT_BREACHING,
      alarmDescription: `${says} What to do: infra/RUNBOOK.md#${anchor(runbook)}`,
      ...options,
    });
    const action = new SnsAction(this.topic);
    alarm.addAlarmAction(action);
    alarm.addOkAction(action);
    this.all.push(alarm);
  }
}

/** The anchor that a Markdown heading gets. */
export function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w -]/g, '')
    .replaceAll(' ', '-');
}
