import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { anchor } from '../lib/alarms.ts';
import { resources, synth } from './synth.ts';

interface Row {
  readonly cause: string;
  readonly status: string;
  readonly metric: string;
}

// Every cause that the functions know, and the metric by which they tell of it: held to that by tests in Rust.
const rows: Row[] = JSON.parse(readFileSync(new URL('../causes.json', import.meta.url), 'utf8'));
const runbook = readFileSync(new URL('../RUNBOOK.md', import.meta.url), 'utf8');
const alarms = Object.values(
  resources(synth({ channels: [{ name: 'main' }] }).stack('hls-ferry-relay'), 'AWS::CloudWatch::Alarm'),
).map(({ Properties }) => Properties);

/** The cells of the rows under the heading with this anchor. */
function table(of: string): string[][] {
  const section = runbook.split(/^### /m).find((text) => anchor(text.split('\n', 1)[0] ?? '') === of) ?? '';
  const [, , ...lines] = section.split('\n').filter((line) => line.startsWith('|'));
  return lines.map((line) => line.split('|').map((cell) => cell.trim()));
}

describe('every cause for which a session is unwell', () => {
  it('has a metric with one alarm, and a row under the heading of that alarm', () => {
    for (const { cause, metric } of rows) {
      const [alarm, ...others] = alarms.filter(({ MetricName }) => MetricName === metric);
      assert.ok(alarm && others.length === 0, `${cause}: ${metric}`);
      assert.equal(alarm.Namespace, 'hls-ferry');
      const heading = alarm.AlarmDescription.split('#')[1];
      const row = table(heading).find(([, first]) => first === `\`${cause}\``);
      assert.ok(row, `${cause} is not in the table of ${heading}`);
      const [, , look = '', act = ''] = row;
      assert.ok(look.length > 20 && act.length > 10, `${cause}: ${row}`);
    }
  });

  it('is in the runbook once, and no other is', () => {
    const headings = new Set(
      alarms
        .filter(({ MetricName }) => rows.some(({ metric }) => metric === MetricName))
        .map(({ AlarmDescription }) => AlarmDescription.split('#')[1]),
    );
    const told = [...headings].flatMap((heading) => table(heading).map(([, first = '']) => first));
    assert.deepEqual(told.sort(), rows.map(({ cause }) => `\`${cause}\``).sort());
  });

  it('gives the status that its metric counts', () => {
    const counted: Record<string, string[]> = {
      DegradedSessions: ['degraded'],
      FailedSessions: ['failed', 'ended'],
      BrokenTurns: ['degraded'],
    };
    for (const { cause, status, metric } of rows) {
      assert.ok(counted[metric]?.includes(status), `${cause}: ${status}, ${metric}`);
    }
  });
});
