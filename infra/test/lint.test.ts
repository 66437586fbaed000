import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, it } from 'node:test';
import { synth } from './synth.ts';

const install = resolve(import.meta.dirname, '../../tests/pypi.sh');

/** A dependency that is stated and follows from a reference: the CDK states those of a role's policies. */
const redundant = 'W3005';

/** What cfn-lint says of templates by CloudFormation's own schemas; empty: nothing. */
const lint = (files: string[]) => {
  const programs = execFileSync(install, ['cfn-lint', 'cfn-lint==1.58.0'], { encoding: 'utf8' }).trim();
  const run = spawnSync(
    join(programs, 'cfn-lint'),
    ['--regions', 'us-east-1', '--format', 'parseable', '--ignore-checks', redundant, '--', ...files],
    { encoding: 'utf8' },
  );
  assert.equal(run.error, undefined);
  return run.stdout + run.stderr;
};

describe('the templates', () => {
  it('are what CloudFormation takes', () => {
    const { folder } = synth({
      alarmEmail: 'ops@ferry.example',
      relay: { tracing: true },
      channels: [
        {
          name: 'main',
          source: 'https://origin.example/main.m3u8',
          timeDelaySeconds: 30,
          geo: { deny: ['AQ'] },
        },
        { name: 'other', formats: ['hls'], accessLogs: false },
      ],
    });
    const templates = readdirSync(folder).filter((name) => name.endsWith('.template.json'));
    assert.equal(templates.length, 3);
    assert.equal(lint(templates.map((name) => join(folder, name))), '');
  });
});
