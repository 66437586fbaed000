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
  const isSessions = ({ Properties }: Resource) => Properties.GlobalSecondaryIndexes !== undefined;
  const table = only(relay, 'AWS::DynamoDB::GlobalTable', isSessions);

  it('is one for all sessions, paid by the request', () => {
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
    // That of channels is kept in the same way.
    const tables = (of: typeof relay) =>
      Object.values(of.findResources('AWS::DynamoDB::GlobalTable')).map(({ DeletionPolicy, Properties }) => {
        const [replica] = Properties.Replicas;
        assert.equal(replica.PointInTimeRecoverySpecification.PointInTimeRecoveryEnabled, true);
        return [DeletionPolicy, replica.DeletionProtectionEnabled];
      });
    const kept = ['Retain', true];
    assert.deepEqual(tables(relay), [kept, kept]);
    const gone = ['Delete', false];
    assert.deepEqual(tables(relayOf({ removal: 'destroy' })), [gone, gone]);
  });
});

describe('the functions', () => {
  it('run on arm64 from their zips, log JSON for as long as configured', () => {
    for (const name of ['advance', 'dispatch', 'sessions', 'channels', 'credentials']) {
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
      FERRY_CHANNELS_URL: 'https://<PlayoutDistribution.DomainName>',
    });
    assert.deepEqual(environment('channels'), { ...common, FERRY_SHELF: '<ShelfTable>' });
    assert.deepEqual(environment('credentials'), common);
  });
});

describe('the cadence', () => {
  const never = { maximumRetryAttempts: 0, maximumEventAgeInSeconds: 60 };

  it('is once a minute, and never late', () => {
    const schedules = Object.values(resources(relay, 'AWS::Scheduler::Schedule'));
    for (const { Properties } of schedules) {
      const { ScheduleExpression, FlexibleTimeWindow, Target } = Properties;
      assert.equal(ScheduleExpression, 'rate(1 minute)');
      assert.deepEqual(FlexibleTimeWindow, { Mode: 'OFF' });
      assert.deepEqual(Target.RetryPolicy, {
        MaximumRetryAttempts: never.maximumRetryAttempts,
        MaximumEventAgeInSeconds: never.maximumEventAgeInSeconds,
      });
      assert.equal(text(Target.DeadLetterConfig.Arn), '<CadenceDeadLetters.Arn>');
    }
    const targets = schedules.map(({ Properties: { Target } }) => [text(Target.Arn), Target.Input]);
    assert.deepEqual(targets, [
      ['<dispatch.Arn>', undefined],
      ['<channels.Arn>', '{"tend":"schedules"}'],
    ]);
  });

  it("is not tried again by Lambda's own queue either", () => {
    const queues = Object.values(resources(relay, 'AWS::Lambda::EventInvokeConfig'));
    assert.deepEqual(queues.map(({ Properties }) => text(Properties.FunctionName)).sort(), [
      '<channels>',
      '<dispatch>',
    ]);
    for (const { Properties } of queues) {
      assert.equal(Properties.MaximumRetryAttempts, never.maximumRetryAttempts);
      assert.equal(Properties.MaximumEventAgeInSeconds, never.maximumEventAgeInSeconds);
      assert.equal(text(Properties.DestinationConfig.OnFailure.Destination), '<CadenceDeadLetters.Arn>');
    }
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
    const routes = Object.values(resources(relay, 'AWS::ApiGatewayV2::Route'));
    assert.deepEqual(
      routes.map(({ Properties }) => [Properties.RouteKey, Properties.AuthorizationType]),
      [
        ['$default', 'AWS_IAM'],
        ['ANY /assets', 'AWS_IAM'],
        ['ANY /assets/{proxy+}', 'AWS_IAM'],
        ['ANY /channels', 'AWS_IAM'],
        ['ANY /channels/{proxy+}', 'AWS_IAM'],
      ],
    );
    const { Format } = only(relay, 'AWS::ApiGatewayV2::Stage').AccessLogSettings;
    assert.match(Format, /userArn/);
    assert.doesNotMatch(Format, /query|authorization|header/i);
  });

  it('is closed by tokens where the configuration says so', () => {
    const auth = { issuer: 'https://id.example', audience: ['ferry'] };
    const other = relayOf({ relay: { auth } });
    for (const { Properties } of Object.values(resources(other, 'AWS::ApiGatewayV2::Route'))) {
      assert.equal(Properties.AuthorizationType, 'JWT');
    }
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

describe('channels that are made of VODs', () => {
  const url = (name: string) => `https://vod.example/${name}/main.m3u8`;
  const other = relayOf({
    playout: {
      assets: [
        { id: 'film', title: 'A film', url: url('film') },
        { id: 'slate', url: url('slate') },
      ],
      channels: [
        { id: 'one', title: 'One', slate: 'slate', fill: { assets: ['film'], aheadSeconds: 7_200 } },
        { id: 'two', loop: ['film'], windowSeconds: 120 },
      ],
    },
    channels: [{ name: 'main', source: { channel: 'one' } }],
  });

  it('are read through CloudFront, and the function answers to nobody else', () => {
    assert.equal(only(relay, 'AWS::Lambda::Url').AuthType, 'AWS_IAM');
    const [origin] = only(relay, 'AWS::CloudFront::Distribution').DistributionConfig.Origins;
    assert.match(text(origin.OriginAccessControlId), /OriginAccessControl/);
    const signing = only(relay, 'AWS::CloudFront::OriginAccessControl').OriginAccessControlConfig;
    assert.deepEqual(
      [signing.OriginAccessControlOriginType, signing.SigningBehavior, signing.SigningProtocol],
      ['lambda', 'always', 'sigv4'],
    );
    const allowed = Object.values(resources(relay, 'AWS::Lambda::Permission'))
      .filter(({ Properties }) => Properties.Principal === 'cloudfront.amazonaws.com')
      .map(({ Properties }) => [
        Properties.Action,
        /distribution\/<PlayoutDistribution>$/.test(text(Properties.SourceArn)),
      ]);
    assert.deepEqual(allowed.sort(), [
      ['lambda:InvokeFunction', true],
      ['lambda:InvokeFunctionUrl', true],
    ]);
  });

  it('are kept by CloudFront for as long as they say, and errors for a second', () => {
    const { DefaultCacheBehavior, CustomErrorResponses } = only(
      relay,
      'AWS::CloudFront::Distribution',
    ).DistributionConfig;
    assert.deepEqual(DefaultCacheBehavior.AllowedMethods, ['GET', 'HEAD', 'OPTIONS']);
    assert.equal(DefaultCacheBehavior.ViewerProtocolPolicy, 'redirect-to-https');
    const policy = only(relay, 'AWS::CloudFront::CachePolicy').CachePolicyConfig;
    assert.deepEqual([policy.MinTTL, policy.DefaultTTL, policy.MaxTTL], [0, 0, 86_400]);
    const { EnableAcceptEncodingGzip, QueryStringsConfig } = policy.ParametersInCacheKeyAndForwardedToOrigin;
    assert.equal(EnableAcceptEncodingGzip, true);
    assert.deepEqual(QueryStringsConfig, { QueryStringBehavior: 'whitelist', QueryStrings: ['channel'] });
    for (const { ErrorCachingMinTTL } of CustomErrorResponses) {
      assert.equal(ErrorCachingMinTTL, 1);
    }
  });

  it('are there after the deploy as the configuration says, assets first', () => {
    const assets = resources(other, 'Custom::Asset');
    const properties = ({ Properties: { ServiceToken, ServiceTimeout, ...rest } }: Resource) => {
      assert.deepEqual([text(ServiceToken), ServiceTimeout], ['<channels.Arn>', '120']);
      return rest;
    };
    assert.deepEqual(Object.values(assets).map(properties), [
      { Id: 'film', Url: url('film'), Title: 'A film' },
      { Id: 'slate', Url: url('slate') },
    ]);
    const channels = Object.values(resources(other, 'Custom::Channel'));
    const bodies = channels.map((channel) => [channel.Properties.Id, JSON.parse(channel.Properties.Channel)]);
    assert.deepEqual(bodies, [
      ['one', { title: 'One', slate: 'slate', fill: { assets: ['film'], ahead_seconds: 7_200 } }],
      ['two', { loop: ['film'], window_seconds: 120 }],
    ]);
    for (const { DependsOn } of channels) {
      for (const asset of Object.keys(assets)) {
        assert.ok(DependsOn?.includes(asset), `${asset} of ${DependsOn}`);
      }
    }
  });

  it('are carried to MediaPackage by a session of the deploy', () => {
    const [[, session] = []] = Object.entries(resources(other, 'Custom::Session'));
    assert.equal(
      text(session?.Properties.SourceUrl),
      'https://<PlayoutDistribution.DomainName>/channels/one/master.m3u8',
    );
    const needs = (session?.DependsOn ?? []).map((id) => text({ Ref: id }));
    assert.ok(
      needs.some((id) => id.startsWith('<ScheduledChannelone')),
      `${needs}`,
    );
  });

  it('have names of their own where the configuration says so', () => {
    const certificateArn = 'arn:aws:acm:us-east-1:123456789012:certificate/x';
    const named = relayOf({ playout: { domain: { names: ['play.example'], certificateArn } } });
    assert.equal(text(named.toJSON().Outputs.ChannelsUrl.Value), 'https://play.example');
    const { Aliases, ViewerCertificate } = only(named, 'AWS::CloudFront::Distribution').DistributionConfig;
    assert.deepEqual([Aliases, ViewerCertificate.AcmCertificateArn], [['play.example'], certificateArn]);
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
      ChannelsUrl: 'https://<PlayoutDistribution.DomainName>',
      TableName: '<StoreTable>',
      StateMachineArn: '<LoopMachine>',
      DefaultOutput: '{"type":"mediapackage","channel":"main"}',
      AlarmTopicArn: '<WatchAlarmsTopic>',
    });
    assert.equal(outputs({ alarms: false }).DefaultOutput, 'none');
    assert.equal(outputs({ alarms: false }).AlarmTopicArn, undefined);
  });
});
