import { Duration } from 'aws-cdk-lib';
import * as cloudwatch from 'aws-cdk-lib/aws-cloudwatch';
import type { Ferry } from '../../config/schema.ts';
import { names } from '../names.ts';
import type { Api } from './api.ts';
import type { Cadence } from './cadence.ts';
import type { FerryFunction, FunctionName } from './function.ts';
import type { Loop } from './loop.ts';
import type { Output } from './output.ts';
import type { Shelf, Store } from './store.ts';

/** How fine the alarms look. */
export const MINUTE = Duration.minutes(1);

/** What is watched. */
export interface Watched {
  readonly ferry: Ferry;
  readonly functions: Record<FunctionName, FerryFunction>;
  readonly store: Store;
  readonly shelf: Shelf;
  readonly loop: Loop;
  readonly cadence: Cadence;
  readonly api: Api;
  readonly outputs: Record<string, Output>;
}

/** The metrics that alarms and dashboard show. */
export class Metrics {
  private readonly watched: Watched;

  constructor(watched: Watched) {
    this.watched = watched;
  }

  /** One of the functions' own metrics, of all sessions or of those to one channel. */
  own(metricName: string, statistic: string, channel?: string): cloudwatch.Metric {
    return new cloudwatch.Metric({
      namespace: names.metrics(this.watched.ferry.name),
      metricName,
      statistic,
      period: MINUTE,
      ...(channel && { dimensionsMap: { Channel: channel } }),
    });
  }

  failedRuns(): cloudwatch.IMetric {
    const { machine } = this.watched.loop;
    const options = { period: MINUTE };
    return sum('failed runs', {
      failed: machine.metricFailed(options),
      overdue: machine.metricTimedOut(options),
      aborted: machine.metricAborted(options),
    });
  }

  throttles(): cloudwatch.IMetric {
    const { functions, loop, store, shelf } = this.watched;
    const of = (where: Store | Shelf, metricName: string) =>
      new cloudwatch.Metric({
        namespace: 'AWS/DynamoDB',
        metricName,
        dimensionsMap: { TableName: where.table.tableName },
        statistic: 'Sum',
        period: MINUTE,
      });
    return sum('throttles', {
      ...mapValues(functions, (each) => each.metricThrottles({ period: MINUTE })),
      runs: loop.machine.metricThrottled({ period: MINUTE }),
      reads: of(store, 'ReadThrottleEvents'),
      writes: of(store, 'WriteThrottleEvents'),
      shelfReads: of(shelf, 'ReadThrottleEvents'),
      shelfWrites: of(shelf, 'WriteThrottleEvents'),
    });
  }

  /** 1 while something is pushed to the channel and an input receives nothing. */
  deafInputs(channel: string, output: Output): cloudwatch.IMetric {
    const [first, second] = output.inputKeys.map((input) => this.ingress(output, input));
    if (!first || !second) {
      throw new Error('a channel has two inputs');
    }
    return new cloudwatch.MathExpression({
      label: 'pushed, not received',
      expression: 'IF(pushed > 0 AND (FILL(first, 0) == 0 OR FILL(second, 0) == 0), 1, 0)',
      usingMetrics: { pushed: this.own('Bytes', 'Sum', channel), first, second },
      period: MINUTE,
    });
  }

  /** What one input of a channel receives. */
  ingress(output: Output, input: string): cloudwatch.Metric {
    return new cloudwatch.Metric({
      namespace: 'AWS/MediaPackage',
      metricName: 'IngressBytes',
      dimensionsMap: { Channel: output.channelKey, IngestEndpoint: input },
      statistic: 'Sum',
      period: MINUTE,
    });
  }
}

/** The sum of metrics, of which some may be silent. */
export function sum(
  label: string,
  usingMetrics: Record<string, cloudwatch.IMetric>,
): cloudwatch.MathExpression {
  const expression = Object.keys(usingMetrics)
    .map((name) => `FILL(${name}, 0)`)
    .join(' + ');
  return new cloudwatch.MathExpression({ label, expression, usingMetrics, period: MINUTE });
}

/** A record with other values. */
export function mapValues<A, B>(record: Record<string, A>, of: (value: A) => B): Record<string, B> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, of(value)]));
}
