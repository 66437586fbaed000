import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type { Construct } from 'constructs';
import { names } from '../names.ts';
import type { Metrics, Watched } from './metrics.ts';

/** One page: is everything carried, how late, and what does it take. */
export function dashboard(
  scope: Construct,
  metrics: Metrics,
  alarms: cloudwatch.Alarm[],
  watched: Watched,
): void {
  const { ferry, functions, outputs } = watched;
  const graph = (title: string, left: cloudwatch.IMetric[], right: cloudwatch.IMetric[] = []) =>
    new cloudwatch.GraphWidget({
      title,
      left,
      right,
      width: 8,
      leftYAxis: { min: 0 },
      rightYAxis: { min: 0 },
    });
  const advance = functions.advance;

  const board = new cloudwatch.Dashboard(scope, 'Dashboard', {
    dashboardName: names.function(ferry.name, 'sessions'),
  });
  board.addWidgets(new cloudwatch.AlarmStatusWidget({ title: 'Alarms', alarms, width: 24, height: 3 }));
  board.addWidgets(
    graph(
      'Sessions and runs',
      [metrics.own('ActiveSessions', 'Maximum'), metrics.own('DegradedSessions', 'Maximum')],
      [metrics.own('Runs', 'Sum')],
    ),
    graph(
      'Lag (ms)',
      ['p50', 'p95', 'Maximum'].map((statistic) => metrics.own('Lag', statistic)),
    ),
    graph('Carried', [metrics.own('Segments', 'Sum')], [metrics.own('Bytes', 'Sum')]),
  );
  board.addWidgets(
    graph('Not carried', [metrics.own('Jumps', 'Sum'), metrics.own('Missed', 'Sum')]),
    graph('Errors', [
      metrics.own('SourceErrors', 'Sum'),
      metrics.own('IngestErrors', 'Sum'),
      metrics.own('BrokenTurns', 'Sum'),
      metrics.failedRuns(),
    ]),
    graph('Throttles', [metrics.throttles()]),
  );
  board.addWidgets(
    graph(
      'A poll (ms)',
      ['p50', 'p95', 'Maximum'].map((statistic) => metrics.own('PollDuration', statistic)),
    ),
    graph('advance', [advance.metricInvocations()], [advance.metricDuration({ statistic: 'p95' })]),
    graph('advance: errors', [advance.metricErrors(), advance.metricThrottles()]),
  );
  for (const [channel, output] of Object.entries(outputs)) {
    board.addWidgets(
      graph(`${channel}: pushed`, [metrics.own('Bytes', 'Sum', channel)]),
      graph(
        `${channel}: received by MediaPackage`,
        output.inputKeys.map((input, at) =>
          metrics.ingress(output, input).with({ label: `input ${at + 1}` }),
        ),
      ),
      graph(`${channel}: lag (ms)`, [metrics.own('Lag', 'Maximum', channel)]),
    );
  }
}
