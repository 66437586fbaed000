import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import { Construct } from 'constructs';
import { Alarms } from '../alarms.ts';
import { dashboard } from './dashboard.ts';
import { Metrics, MINUTE, mapValues, sum, type Watched } from './metrics.ts';

/** Alarms for what a person must act on, and one page that shows the rest. */
export class Watch extends Construct {
  constructor(scope: Construct, id: string, watched: Watched) {
    super(scope, id);
    const metrics = new Metrics(watched);
    const alarms = new Alarms(this, 'Alarms', {
      whose: watched.ferry.name,
      email: watched.ferry.alarmEmail,
    });
    watch(alarms, metrics, watched);
    dashboard(this, metrics, alarms.all, watched);
  }
}

function watch(alarms: Alarms, metrics: Metrics, watched: Watched): void {
  const { ferry, functions, cadence, api } = watched;
  alarms.add('Lag', {
    metric: metrics.own('Lag', 'Maximum'),
    threshold: ferry.relay.lagAlarmSeconds * 1_000,
    evaluationPeriods: 3,
    says: `A session has been more than ${ferry.relay.lagAlarmSeconds} s behind its source for three minutes.`,
    runbook: 'Lag is high',
  });
  alarms.add('Jumps', {
    metric: metrics.own('Jumps', 'Sum'),
    threshold: 1,
    evaluationPeriods: 1,
    says: 'Segments could not be carried and were jumped over.',
    runbook: 'Segments were jumped over',
  });
  alarms.add('Degraded', {
    metric: metrics.own('DegradedSessions', 'Maximum'),
    threshold: 1,
    evaluationPeriods: 5,
    says: 'A session has been degraded for five minutes.',
    runbook: 'A session is degraded',
  });
  alarms.add('Failed', {
    metric: metrics.own('FailedSessions', 'Sum'),
    threshold: 1,
    evaluationPeriods: 1,
    says: 'A session has been given up, or ended before all of it was carried.',
    runbook: 'A session has failed',
  });
  alarms.add('BrokenTurns', {
    metric: metrics.own('BrokenTurns', 'Sum'),
    threshold: 1,
    evaluationPeriods: 5,
    datapointsToAlarm: 3,
    says: 'A session could not be carried in three of five minutes, through no fault of its source or output.',
    runbook: 'A session cannot be carried',
  });
  for (const [channel, output] of Object.entries(watched.outputs)) {
    alarms.add(`Deaf-${channel}`, {
      metric: metrics.deafInputs(channel, output),
      threshold: 1,
      evaluationPeriods: 5,
      says: `An input of ${channel} has received nothing for five minutes of what is pushed to it.`,
      runbook: 'MediaPackage receives nothing',
      channel,
    });
  }
  alarms.add('FailedRuns', {
    metric: metrics.failedRuns(),
    threshold: 1,
    evaluationPeriods: 5,
    datapointsToAlarm: 3,
    says: 'Runs have failed in three of five minutes.',
    runbook: 'Runs fail',
  });
  alarms.add('Throttles', {
    metric: metrics.throttles(),
    threshold: 1,
    evaluationPeriods: 5,
    datapointsToAlarm: 3,
    says: 'Calls have been throttled in three of five minutes.',
    runbook: 'Something is throttled',
  });
  alarms.add('DeadLetters', {
    metric: cadence.deadLetters.metricApproximateNumberOfMessagesVisible({
      period: MINUTE,
      statistic: 'Maximum',
    }),
    threshold: 1,
    evaluationPeriods: 1,
    says: 'A minute could not be delivered to dispatch.',
    runbook: 'A minute was not delivered',
  });
  alarms.add('Silence', {
    metric: functions.dispatch.metricInvocations({ period: MINUTE }),
    comparisonOperator: cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
    treatMissingData: cloudwatch.TreatMissingData.BREACHING,
    threshold: 1,
    // A run goes on for four minutes without being relieved.
    evaluationPeriods: 3,
    says: 'Nothing has been dispatched for three minutes.',
    runbook: 'Nothing is dispatched',
  });
  const { advance: _, ...others } = functions;
  alarms.add('FunctionErrors', {
    metric: sum(
      'function errors',
      mapValues(others, (each) => each.metricErrors({ period: MINUTE })),
    ),
    threshold: 1,
    evaluationPeriods: 5,
    datapointsToAlarm: 2,
    says: 'A function other than advance has failed in two of five minutes.',
    runbook: 'A function fails',
  });
  alarms.add('PlaylistErrors', {
    metric: new cloudwatch.Metric({
      namespace: 'AWS/Lambda',
      metricName: 'Url5xxCount',
      dimensionsMap: { FunctionName: functions.channels.functionName },
      statistic: 'Sum',
      period: MINUTE,
    }),
    threshold: 1,
    evaluationPeriods: 5,
    datapointsToAlarm: 3,
    says: "Viewers' requests for playlists have failed in three of five minutes.",
    runbook: 'Channels answer with errors',
  });
  alarms.add('ApiErrors', {
    metric: api.api.metricServerError({ period: MINUTE, statistic: 'Sum' }),
    threshold: 1,
    evaluationPeriods: 5,
    datapointsToAlarm: 2,
    says: 'The API has answered with errors of its own in two of five minutes.',
    runbook: 'The API answers with errors',
  });
}
