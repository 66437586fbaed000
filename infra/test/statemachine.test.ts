import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import validate from 'asl-validator';
import { definition } from '../lib/relay/loop.ts';
import { timeouts } from '../lib/timeouts.ts';

interface Retrier {
  ErrorEquals: string[];
}
interface Table {
  policies: Record<string, { retry: object }>;
  errors: { name: string; from: string; policy: string }[];
}

const machine = JSON.parse(definition);
const { Advance: advance, Outcome: outcome } = machine.States;
const table: Table = JSON.parse(
  readFileSync(new URL('../../statemachine/errors.json', import.meta.url), 'utf8'),
);

describe('the state machine', () => {
  it('is valid', () => {
    const arn = 'arn:aws:lambda:us-east-1:123456789012:function:hls-ferry-advance';
    const { isValid, errorsText } = validate(
      JSON.parse(definition.replaceAll(/\$\{AdvanceFunctionArn\}/g, arn)),
    );
    assert.ok(isValid, errorsText('\n'));
  });

  it('retries and gives up as the table of errors says, name by name', () => {
    const policies = Object.entries(table.policies);
    assert.equal(advance.Retry.length, policies.length);
    for (const [at, [policy, { retry }]] of policies.entries()) {
      const names = table.errors
        .filter((error) => error.policy === policy && error.from !== 'machine')
        .map(({ name }) => name);
      const retrier: Retrier = advance.Retry[at];
      // The last takes all that no other names.
      const expected = names.includes('States.ALL') ? ['States.ALL'] : names;
      assert.deepEqual(retrier, { ErrorEquals: expected, ...retry }, policy);
    }
    assert.equal(advance.Retry.at(-1).ErrorEquals[0], 'States.ALL');
  });

  it('catches every error that is left', () => {
    assert.deepEqual(advance.Catch, [{ ErrorEquals: ['States.ALL'], Next: 'Failed' }]);
    assert.equal(machine.States.Failed.Type, 'Fail');
  });

  it('fails by itself only with errors of the table', () => {
    const own = Object.values<{ Type: string; Error: string }>(machine.States)
      .filter((state) => state.Type === 'Fail' && !state.Error.startsWith('{%'))
      .map((state) => state.Error);
    const known = table.errors.filter(({ from }) => from === 'machine').map(({ name }) => name);
    assert.deepEqual(own, known);
  });

  it('has a branch for every outcome', () => {
    const branches = outcome.Choices.map(({ Condition, Next }: Record<string, string>) => [Condition, Next]);
    assert.deepEqual(branches, [
      ["{% $states.input.outcome = 'again' %}", 'Wait'],
      ["{% $states.input.outcome = 'relieved' %}", 'Relieved'],
      ["{% $states.input.outcome = 'done' %}", 'Done'],
    ]);
    assert.equal(outcome.Default, 'UnknownOutcome');
    assert.equal(machine.States.Wait.Next, 'Advance');
  });

  it('shapes no data', () => {
    const shaping = ['Arguments', 'Output', 'Assign', 'InputPath', 'OutputPath', 'ResultPath', 'Parameters'];
    for (const [name, state] of Object.entries<object>(machine.States)) {
      assert.deepEqual(
        Object.keys(state).filter((field) => shaping.includes(field)),
        [],
        name,
      );
    }
  });
});

describe('the timeouts', () => {
  it('nest', () => {
    const state: number = advance.TimeoutSeconds;
    const { http, tick, advance: lambda, run } = timeouts;
    const nested = [http, tick, lambda, state];
    assert.deepEqual(
      nested,
      [...nested].sort((a, b) => a - b),
    );
    assert.equal(new Set(nested).size, nested.length);
    // The last poll of a run ends before the machine does, and that before AWS ends it.
    assert.ok(run + state < machine.TimeoutSeconds);
    assert.ok(machine.TimeoutSeconds <= 300);
  });

  it('bridge two minutes that the scheduler leaves out', () => {
    // Fired at the start of one minute and at the end of the third after it.
    assert.ok(timeouts.run >= 3 * 60 + 59);
  });

  it('leave the API time to answer', () => {
    assert.ok(timeouts.sessions < 30);
    assert.ok(timeouts.credentials < timeouts.customResource);
  });
});
