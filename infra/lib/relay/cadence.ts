import { Aws, Duration } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import { SqsDestination } from 'aws-cdk-lib/aws-lambda-destinations';
import * as scheduler from 'aws-cdk-lib/aws-scheduler';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import { Construct } from 'constructs';
import { acknowledge } from '../acknowledge.ts';

export interface CadenceProps {
  readonly dispatch: lambda.Function;
  readonly channels: lambda.Function;
}

/** The clock: `dispatch` and `channels` once a minute, and a queue for what could not be delivered to them. */
export class Cadence extends Construct {
  readonly deadLetters: sqs.Queue;

  constructor(scope: Construct, id: string, { dispatch, channels }: CadenceProps) {
    super(scope, id);
    this.deadLetters = new sqs.Queue(this, 'DeadLetters', {
      enforceSSL: true,
      retentionPeriod: Duration.days(14),
    });
    acknowledge(this.deadLetters, { SQS3: 'It is where the dead letters of others come.' });

    // A minute that was missed is made up for by the next; a late one would only double it. The scheduler hands
    // over to Lambda's own queue, which would try again for hours by itself.
    const maxEventAge = Duration.minutes(1);
    for (const each of [dispatch, channels]) {
      each.configureAsyncInvoke({
        retryAttempts: 0,
        maxEventAge,
        onFailure: new SqsDestination(this.deadLetters),
      });
    }
    const role = new iam.Role(this, 'Role', {
      description: 'By which the scheduler invokes dispatch and channels',
      assumedBy: new iam.ServicePrincipal('scheduler.amazonaws.com', {
        conditions: { StringEquals: { 'aws:SourceAccount': Aws.ACCOUNT_ID } },
      }),
    });
    this.deadLetters.grantSendMessages(role);
    const invoke = iam.Grant.addToPrincipal({
      grantee: role,
      actions: ['lambda:InvokeFunction'],
      resourceArns: [dispatch.functionArn, channels.functionArn],
    });
    const everyMinute = (id: string, description: string, target: lambda.Function, input?: object) => {
      const schedule = new scheduler.CfnSchedule(this, id, {
        description,
        scheduleExpression: 'rate(1 minute)',
        flexibleTimeWindow: { mode: 'OFF' },
        target: {
          arn: target.functionArn,
          roleArn: role.roleArn,
          ...(input && { input: JSON.stringify(input) }),
          deadLetterConfig: { arn: this.deadLetters.queueArn },
          retryPolicy: { maximumRetryAttempts: 0, maximumEventAgeInSeconds: maxEventAge.toSeconds() },
        },
      });
      invoke.applyBefore(schedule);
    };
    everyMinute('EveryMinute', 'Starts a run for every shard of active sessions', dispatch);
    everyMinute('Schedules', "Looks after channels' schedules", channels, { tend: 'schedules' });
  }
}
