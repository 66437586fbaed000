import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { anchor } from '../lib/alarms.ts';
import { only, resources, synth, text } from './synth.ts';

const { stack } = synth({ alarmEmail: 'ops@ferry.example', channels: [{ name: 'main' }] });
const templates = ['hls-ferry-relay', 'hls-ferry-packaging-main'].map(stack);
const alarms = templates.flatMap((template) => Object.entries(resources(template, 'AWS::CloudWatch::Alarm')));

const runbook = readFileSync(new URL('../RUNBOOK.md', import.meta.url), 'utf8');
const headings = [...runbook.matchAll(/^### (.+)$/gm)].map(([, heading = '']) => anchor(heading));

describe('the alarms', () => {
  it('each name the heading in the runbook that says what to do', () => {
    for (const [id, { Properties }] of alarms) {
      const [, named = 'none'] = /infra\/RUNBOOK\.md#(\S+)$/.exec(Properties.AlarmDescription) ?? [];
      assert.ok(headings.includes(named), `${id}: ${named}`);
    }
  });

  it('are named as the runbook names them, and whom they are about', () => {
    const names = alarms.map(([, { Properties }]) => Properties.AlarmName);
    for (const name of ['hls-ferry: Lag is high', 'hls-ferry/main: MediaPackage receives nothing']) {
      assert.ok(names.includes(name), `${names}`);
    }
  });

  it('are the headings of the runbook, one for one', () => {
    const named = alarms.map(([, { Properties }]) => Properties.AlarmDescription.split('#')[1]);
    assert.deepEqual([...named].sort(), [...headings].sort());
  });

  it('tell when they begin and when they are over', () => {
    for (const [id, { Properties }] of alarms) {
      assert.deepEqual(Properties.AlarmActions, Properties.OKActions, id);
      assert.equal(Properties.AlarmActions.length, 1, id);
    }
    for (const template of templates) {
      assert.equal(only(template, 'AWS::SNS::Subscription').Endpoint, 'ops@ferry.example');
      const allowed = only(template, 'AWS::SNS::TopicPolicy').PolicyDocument.Statement.filter(
        ({ Effect }: { Effect: string }) => Effect === 'Allow',
      );
      assert.deepEqual(
        allowed.map(({ Principal }: { Principal: unknown }) => Principal),
        [{ Service: 'cloudwatch.amazonaws.com' }],
      );
    }
  });

  it('tell the people of a channel about its own', () => {
    const own = synth({
      alarmEmail: 'ops@ferry.example',
      channels: [{ name: 'main', alarmEmail: 'sports@ferry.example' }],
    }).stack('hls-ferry-packaging-main');
    assert.equal(only(own, 'AWS::SNS::Subscription').Endpoint, 'sports@ferry.example');
  });

  it('are all on the dashboard', () => {
    const [relay] = templates;
    assert.ok(relay);
    const board = text(only(relay, 'AWS::CloudWatch::Dashboard').DashboardBody);
    for (const id of Object.keys(resources(relay, 'AWS::CloudWatch::Alarm'))) {
      assert.ok(board.includes(text({ 'Fn::GetAtt': [id, 'Arn'] })), id);
    }
  });

  it('take silence for an alarm where nothing is dispatched, and only there', () => {
    const breaching = alarms
      .filter(([, { Properties }]) => Properties.TreatMissingData === 'breaching')
      .map(([, { Properties }]) => Properties.AlarmDescription.split('#')[1]);
    assert.deepEqual(breaching, ['nothing-is-dispatched']);
  });

  it('watch what MediaPackage receives at either input, while something is pushed', () => {
    const [relay] = templates;
    assert.ok(relay);
    const alarm = only(relay, 'AWS::CloudWatch::Alarm', ({ Properties }) =>
      Properties.AlarmDescription.endsWith('#mediapackage-receives-nothing'),
    );
    // biome-ignore lint/suspicious/noExplicitAny: a template
    const metrics = alarm.Metrics.flatMap(({ MetricStat }: any) => {
      if (!MetricStat) {
        return [];
      }
      const { Namespace, MetricName, Dimensions } = MetricStat.Metric;
      // biome-ignore lint/suspicious/noExplicitAny: a template
      const dimensions = Dimensions.map(({ Name, Value }: any) => `${Name}=${text(Value)}`);
      return [[Namespace, MetricName, ...dimensions].join(' ').replace(/<Ssm\w+>/, 'ARN')];
    });
    assert.deepEqual(metrics, [
      'hls-ferry Bytes Channel=main',
      'AWS/MediaPackage IngressBytes Channel=<part 1 of ARN> IngestEndpoint=<OutputmainCredentials.IngestEndpointId1>',
      'AWS/MediaPackage IngressBytes Channel=<part 1 of ARN> IngestEndpoint=<OutputmainCredentials.IngestEndpointId2>',
    ]);
  });
});
