import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type Resource, resources, synth, text } from './synth.ts';

const source = 'https://origin.example/live/main.m3u8';
const relay = synth({ channels: [{ name: 'main', source }] }).stack('hls-ferry-relay');

/** What a role may do, one line for each set of actions on one resource. */
function may(role: string): string[] {
  const mine = (reference: unknown) => text(reference) === `<${role}>`;
  return Object.values(resources(relay, 'AWS::IAM::Policy'))
    .filter(({ Properties }) => Properties.Roles.some(mine))
    .flatMap(({ Properties }) => Properties.PolicyDocument.Statement)
    .flatMap(({ Effect, Action, Resource, Condition }) => {
      assert.equal(Effect, 'Allow');
      assert.equal(Condition, undefined);
      return [Resource].flat().map((resource) => `${[Action].flat().join(' ')} on ${text(resource)}`);
    })
    .map((line) => line.replaceAll('arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>:', ''))
    .sort();
}

describe('least privilege', () => {
  const channelArn = '<SsmParameterValuehlsferrychannelsmainarnC96584B6F00A464EAD1953AFF4B05118Parameter>';
  const roles: Record<string, string[]> = {
    advancerole: [
      'dynamodb:BatchGetItem dynamodb:ConditionCheckItem dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:UpdateItem on <StoreTable.Arn>',
      'logs:CreateLogStream logs:PutLogEvents on <advancelog.Arn>',
      'secretsmanager:DeleteSecret on secret:hls-ferry/sessions/*',
      'secretsmanager:GetSecretValue on secret:hls-ferry/channels/*',
      'secretsmanager:GetSecretValue on secret:hls-ferry/sessions/*',
    ],
    dispatchrole: [
      'dynamodb:Query on <StoreTable.Arn>/index/active',
      'logs:CreateLogStream logs:PutLogEvents on <dispatchlog.Arn>',
      'sqs:GetQueueAttributes sqs:GetQueueUrl sqs:SendMessage on <CadenceDeadLetters.Arn>',
      'states:StartExecution on <LoopMachine>',
    ],
    sessionsrole: [
      'dynamodb:ConditionCheckItem dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query dynamodb:UpdateItem on <StoreTable.Arn>',
      'logs:CreateLogStream logs:PutLogEvents on <sessionslog.Arn>',
      'secretsmanager:CreateSecret secretsmanager:DeleteSecret secretsmanager:PutSecretValue on secret:hls-ferry/sessions/*',
      'secretsmanager:GetSecretValue on secret:hls-ferry/channels/*',
      'secretsmanager:GetSecretValue on secret:hls-ferry/sessions/*',
      'states:StartExecution on <LoopMachine>',
    ],
    channelsrole: [
      'dynamodb:DeleteItem dynamodb:GetItem dynamodb:PutItem dynamodb:Query on <ShelfTable.Arn>',
      'logs:CreateLogStream logs:PutLogEvents on <channelslog.Arn>',
      'sqs:GetQueueAttributes sqs:GetQueueUrl sqs:SendMessage on <CadenceDeadLetters.Arn>',
    ],
    credentialsrole: [
      'logs:CreateLogStream logs:PutLogEvents on <credentialslog.Arn>',
      `mediapackage:DescribeChannel mediapackage:RotateIngestEndpointCredentials on ${channelArn}`,
      'secretsmanager:DescribeSecret secretsmanager:GetSecretValue secretsmanager:PutSecretValue secretsmanager:UpdateSecretVersionStage on secret:hls-ferry/channels/main-??????',
    ],
    LoopMachineRole: [
      'lambda:InvokeFunction on <advance.Arn>',
      'logs:CreateLogDelivery logs:DeleteLogDelivery logs:DescribeLogGroups logs:DescribeResourcePolicies logs:GetLogDelivery logs:ListLogDeliveries logs:PutResourcePolicy logs:UpdateLogDelivery on *',
    ],
    CadenceRole: [
      'lambda:InvokeFunction on <channels.Arn>',
      'lambda:InvokeFunction on <dispatch.Arn>',
      'sqs:GetQueueAttributes sqs:GetQueueUrl sqs:SendMessage on <CadenceDeadLetters.Arn>',
    ],
  };
  for (const [role, lines] of Object.entries(roles)) {
    it(`holds for ${role}`, () => assert.deepEqual(may(role), lines));
  }

  it('is asked of every role, and none has more by a managed or an inline policy', () => {
    const all = Object.entries(resources(relay, 'AWS::IAM::Role'));
    assert.deepEqual(all.map(([id]) => text({ Ref: id }).slice(1, -1)).sort(), Object.keys(roles).sort());
    for (const [id, { Properties }] of all) {
      assert.deepEqual([Properties.ManagedPolicyArns, Properties.Policies], [undefined, undefined], id);
    }
  });

  it('lets only the services of this account invoke functions', () => {
    const permissions = Object.values(resources(relay, 'AWS::Lambda::Permission')).map(
      ({ Properties }: Resource) => [
        text(Properties.FunctionName),
        Properties.Principal,
        text(Properties.SourceArn).replace(/^arn:.*:</, '<'),
      ],
    );
    const [address, playout] = [
      '<channelsFunctionUrl.FunctionArn>',
      '<AWS::AccountId>:distribution/<PlayoutDistribution>',
    ];
    assert.deepEqual(permissions.sort(), [
      ...['/assets', '/assets/{proxy+}', '/channels', '/channels/{proxy+}'].map((path) => [
        '<channels.Arn>',
        'apigateway.amazonaws.com',
        `<ApiHttp>/*/*${path}`,
      ]),
      [address, 'cloudfront.amazonaws.com', playout],
      [address, 'cloudfront.amazonaws.com', playout],
      ['<credentials.Arn>', 'secretsmanager.amazonaws.com', '<OutputmainSecret>'],
      ['<sessions.Arn>', 'apigateway.amazonaws.com', '<ApiHttp>/*/*'],
    ]);
  });
});
