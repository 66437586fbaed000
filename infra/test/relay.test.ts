import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { FerryInput } from '../config/schema.ts';
import { only, type Resource, resources, synth, text } from './synth.ts';

const source = 'https://origin.example/live/main.m3u8';
const relayOf = (config: FerryInput) => synth(config).stack('hls-ferry-relay');
const relay = relayOf({ channels: [{ name: 'main' }, { name: 'onair', source }] });

const functionOf = (name: string, of = relay) =>
  only(of, 'AWS::Lambda::Function', ({ Properties }) => Properties.FunctionName === `hls-ferry-${name}`);
const environment = (name: string) =>
  Object.fromEntries(
    Object.entries(functionOf(name).Environment.Variables).map(([key, value]) => [key, text(value)]),
  );

describe('the table', () => {
  const table = only(relay, 'AWS::DynamoDB::GlobalTable');

  it('is one for everything, paid by the request', () => {
    assert.deepEqual(
      table.KeySchema.map(({ AttributeName }: { AttributeName: string }) => AttributeName),
      ['PK', 'SK'],
    );
    assert.equal(table.BillingMode, 'PAY_PER_REQUEST');
  });

  it('has a sparse index of active sessions, and lets go of what has expired', () => {
    const [index] = table.GlobalSecondaryIndexes;
    assert.equal(index.IndexName, 'active');
    assert.deepEqual(index.KeySchema, [
      { AttributeName: 'active', KeyType: 'HASH' },
      { AttributeName: 'SK', KeyType: 'RANGE' },
    ]);
    assert.deepEqual(index.Projection, {
      ProjectionType: 'INCLUDE',
      NonKeyAttributes: ['status', 'bits_per_second', 'tick_ms'],
    });
    assert.deepEqual(table.TimeToLiveSpecification, { AttributeName: 'expires', Enabled: true });
  });

  it('can be restored, and survives the stack unless it is to go with it', () => {
    const [replica] = table.Replicas;
    assert.equal(replica.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled, true);
    assert.equal(replica.DeletionProtectionEnabled, true);
    relay.hasResource('AWS::DynamoDB::GlobalTable', { DeletionPolicy: 'Retain' });
    const tried = relayOf({ removal: 'destroy' });
    tried.hasResource('AWS::DynamoDB::GlobalTable', { DeletionPolicy: 'Delete' });
    assert.equal(only(tried, 'AWS::DynamoDB::GlobalTable').Replicas[0].DeletionProtectionEnabled, false);
  });
});

describe('the functions', () => {
  it('run on arm64 from their zips, log JSON for as long as configured', () => {
    for (const name of ['advance', 'dispatch', 'sessions', 'credentials']) {
      const is = functionOf(name);
      assert.deepEqual(
        [is.Runtime, is.Handler, is.Architectures],
        ['provided.al2023', 'bootstrap', ['arm64']],
      );
      assert.equal(is.LoggingConfig.LogFormat, 'JSON');
      const group = resources(relay, 'AWS::Logs::LogGroup')[is.LoggingConfig.LogGroup.Ref] as Resource;
      assert.equal(group.Properties.LogGroupName, `/aws/lambda/hls-ferry-${name}`);
    }
    for (const { Properties } of Object.values(resources(relay, 'AWS::Logs::LogGroup'))) {
      assert.equal(Properties.RetentionInDays, 30);
    }
  });

  it('are as the configuration says', () => {
    const other = relayOf({
      relay: { architecture: 'x86_64', memoryMb: 1_024, logLevel: 'debug', tracing: true },
    });
    const is = functionOf('advance', other);
    assert.deepEqual([is.Architectures, is.MemorySize], [['x86_64'], 1_024]);
    assert.equal(is.Environment.Variables.RUST_LOG, 'debug');
    assert.equal(is.LoggingConfig.ApplicationLogLevel, 'DEBUG');
    assert.deepEqual(is.TracingConfig, { Mode: 'Active' });
    const { LoggingConfiguration, TracingConfiguration } = only(other, 'AWS::StepFunctions::StateMachine');
    assert.equal(LoggingConfiguration.Level, 'ALL');
    assert.equal(TracingConfiguration.Enabled, true);
  });

  it('are told by the environment what they need, and nothing secret', () => {
    const common = { RUST_LOG: 'info' };
    const store = { FERRY_TABLE: '<StoreTable>', FERRY_METRICS: 'hls-ferry' };
    const runs = { FERRY_STATE_MACHINE: '<LoopMachine>', FERRY_RUN_SECONDS: '240' };
    const secrets = { FERRY_SECRETS: 'hls-ferry/' };
    const budgets = { FERRY_HTTP_SECONDS: '10', FERRY_TICK_SECONDS: '30' };
    assert.deepEqual(environment('advance'), { ...common, ...store, ...secrets, ...budgets });
    assert.deepEqual(environment('dispatch'), { ...common, ...store, ...runs });
    assert.deepEqual(environment('sessions'), {
      ...common,
      ...store,
      ...runs,
      ...secrets,
      FERRY_CHANNELS: 'main,onair',
    });
    assert.deepEqual(environment('credentials'), common);
  });
});

describe('the cadence', () => {
  const never = { maximumRetryAttempts: 0, maximumEventAgeInSeconds: 60 };

  it('is once a minute, and never late', () => {
    const { ScheduleExpression, FlexibleTimeWindow, Target } = only(relay, 'AWS::Scheduler::Schedule');
    assert.equal(ScheduleExpression, 'rate(1 minute)');
    assert.deepEqual(FlexibleTimeWindow, { Mode: 'OFF' });
    assert.equal(text(Target.Arn), '<dispatch.Arn>');
    assert.deepEqual(Target.RetryPolicy, {
      MaximumRetryAttempts: never.maximumRetryAttempts,
      MaximumEventAgeInSeconds: never.maximumEventAgeInSeconds,
    });
    assert.equal(text(Target.DeadLetterConfig.Arn), '<CadenceDeadLetters.Arn>');
  });

  it("is not tried again by Lambda's own queue either", () => {
    const async = only(relay, 'AWS::Lambda::EventInvokeConfig');
    assert.equal(text(async.FunctionName), '<dispatch>');
    assert.equal(async.MaximumRetryAttempts, never.maximumRetryAttempts);
    assert.equal(async.MaximumEventAgeInSeconds, never.maximumEventAgeInSeconds);
    assert.equal(text(async.DestinationConfig.OnFailure.Destination), '<CadenceDeadLetters.Arn>');
  });
});

describe('the state machine', () => {
  it('is the file, runs express, and logs no data', () => {
    const machine = only(relay, 'AWS::StepFunctions::StateMachine');
    assert.equal(machine.StateMachineType, 'EXPRESS');
    assert.deepEqual(Object.keys(machine.DefinitionSubstitutions), ['AdvanceFunctionArn']);
    assert.equal(text(machine.DefinitionSubstitutions.AdvanceFunctionArn), '<advance.Arn>');
    assert.deepEqual(
      [machine.LoggingConfiguration.Level, machine.LoggingConfiguration.IncludeExecutionData],
      ['ERROR', false],
    );
  });
});

describe('the API', () => {
  it('is closed by IAM, and logs who asked without what was asked', () => {
    const [route, ...others] = Object.values(resources(relay, 'AWS::ApiGatewayV2::Route'));
    assert.deepEqual(
      [route?.Properties.RouteKey, route?.Properties.AuthorizationType],
      ['$default', 'AWS_IAM'],
    );
    assert.equal(others.length, 0);
    const { Format } = only(relay, 'AWS::ApiGatewayV2::Stage').AccessLogSettings;
    assert.match(Format, /userArn/);
    assert.doesNotMatch(Format, /query|authorization|header/i);
  });

  it('is closed by tokens where the configuration says so', () => {
    const auth = { issuer: 'https://id.example', audience: ['ferry'] };
    const other = relayOf({ relay: { auth } });
    const route = only(other, 'AWS::ApiGatewayV2::Route');
    assert.equal(route.AuthorizationType, 'JWT');
    const { JwtConfiguration } = only(other, 'AWS::ApiGatewayV2::Authorizer');
    assert.deepEqual(JwtConfiguration, { Issuer: auth.issuer, Audience: auth.audience });
  });
});

describe('a channel in the relay', () => {
  it('has its credentials put into a secret that begins empty', () => {
    const secret = only(
      relay,
      'AWS::SecretsManager::Secret',
      ({ Properties }) => Properties.Name === 'hls-ferry/channels/main',
    );
    assert.deepEqual([secret.GenerateSecretString, secret.SecretString], [undefined, undefined]);
    const custom = only(
      relay,
      'Custom::IngestCredentials',
      ({ Properties }) => Properties.ChannelId === 'hls-ferry-main',
    );
    assert.equal(text(custom.ServiceToken), '<credentials.Arn>');
    assert.equal(text(custom.SecretId), '<OutputmainSecret>');
    assert.equal(custom.ServiceTimeout, '120');
  });

  it('is found by a parameter that is looked up at each deploy, not by an import', () => {
    const { Parameters, ...rest } = relay.toJSON();
    const lookups = Object.values<{ Type: string; Default: string }>(Parameters)
      .filter(({ Type }) => Type === 'AWS::SSM::Parameter::Value<String>')
      .map(({ Default }) => Default);
    assert.deepEqual(
      lookups.filter((name) => name.startsWith('/hls-ferry')),
      ['/hls-ferry/channels/main/arn', '/hls-ferry/channels/onair/arn'],
    );
    assert.doesNotMatch(JSON.stringify(rest), /Fn::ImportValue|Fn::GetStackOutput/);
  });

  it('has its passwords changed by the same function, unless never', () => {
    const schedules = Object.values(resources(relay, 'AWS::SecretsManager::RotationSchedule'));
    assert.equal(schedules.length, 2);
    for (const { Properties } of schedules) {
      assert.equal(text(Properties.RotationLambdaARN), '<credentials.Arn>');
      assert.deepEqual(Properties.RotationRules, { AutomaticallyAfterDays: 30 });
      assert.equal(Properties.RotateImmediatelyOnUpdate, false);
    }
    const never = relayOf({ channels: [{ name: 'main', rotateCredentialsDays: 0 }] });
    never.resourceCountIs('AWS::SecretsManager::RotationSchedule', 0);
  });

  it('is on air after the deploy if it has a source', () => {
    const [[, session] = [], ...others] = Object.entries(resources(relay, 'Custom::Session'));
    assert.equal(others.length, 0);
    const { ServiceToken, ...properties } = session?.Properties ?? {};
    assert.equal(text(ServiceToken), '<sessions.Arn>');
    assert.deepEqual(properties, {
      Name: 'onair',
      Channel: 'onair',
      SourceUrl: source,
      ServiceTimeout: '120',
    });
    const needs = (session?.DependsOn ?? []).map((id) => text({ Ref: id }));
    for (const need of [
      'OutputonairCredentialsDefault',
      'StoreTable',
      'LoopMachine',
      'sessionsroleDefaultPolicy',
    ]) {
      assert.ok(
        needs.some((id) => id.startsWith(`<${need.replace(/Default$/, '')}`)),
        `${need} of ${needs}`,
      );
    }
  });
});

describe('the outputs of the relay stack', () => {
  const outputs = (config: FerryInput) =>
    Object.fromEntries(
      Object.entries<{ Value: unknown }>(relayOf(config).toJSON().Outputs).map(([name, { Value }]) => [
        name,
        text(Value),
      ]),
    );

  it('are where to go, and the default output', () => {
    assert.deepEqual(outputs({ channels: [{ name: 'main' }, { name: 'other' }] }), {
      ApiUrl: '<ApiHttp.ApiEndpoint>',
      TableName: '<StoreTable>',
      StateMachineArn: '<LoopMachine>',
      DefaultOutput: '{"type":"mediapackage","channel":"main"}',
      AlarmTopicArn: '<WatchAlarmsTopic>',
    });
    assert.equal(outputs({ alarms: false }).DefaultOutput, 'none');
    assert.equal(outputs({ alarms: false }).AlarmTopicArn, undefined);
  });
});
