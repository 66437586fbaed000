import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { App } from 'aws-cdk-lib';
import * as sqs from 'aws-cdk-lib/aws-sqs';
import type { FerryInput } from '../config/schema.ts';
import { built, synth } from './synth.ts';

const source = 'https://origin.example/live/main.m3u8';
const domain = {
  names: ['live.example'],
  certificateArn: 'arn:aws:acm:us-east-1:123456789012:certificate/x',
};

describe('the rule packs', () => {
  const configurations: Record<string, FerryInput> = {
    'no channel': {},
    'one channel': { channels: [{ name: 'main' }] },
    'everything switched on': {
      alarmEmail: 'ops@ferry.example',
      relay: { tracing: true, logLevel: 'trace' },
      channels: [{ name: 'main', source, domain }, { name: 'other' }],
    },
    'everything switched off': {
      removal: 'destroy',
      alarms: false,
      channels: [{ name: 'main', accessLogs: false, rotateCredentialsDays: 0 }],
    },
  };
  for (const [name, configuration] of Object.entries(configurations)) {
    it(`find nothing in a deployment with ${name}`, () => {
      assert.deepEqual(synth(configuration).findings, []);
    });
  }

  it('refuse what breaks a rule', () => {
    const open = (app: App) => new sqs.Queue(app.node.findChild('hls-ferry-relay'), 'Open');
    assert.throws(() => synth({}, built, open), { name: 'ValidationFailed' });
  });
});
