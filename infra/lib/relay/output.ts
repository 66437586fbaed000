import { ArnFormat, Aws, CustomResource, Duration, Fn, RemovalPolicy, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { StringParameter } from 'aws-cdk-lib/aws-ssm';
import { Construct } from 'constructs';
import type { Channel, Ferry } from '../../config/schema.ts';
import { acknowledge } from '../acknowledge.ts';
import { names } from '../names.ts';
import { timeouts } from '../timeouts.ts';
import type { FerryFunction } from './function.ts';

export interface OutputProps {
  readonly ferry: Ferry;
  readonly channel: Channel;
  readonly credentials: FerryFunction;
}

/**
 * A channel as an output of sessions: its ingest addresses and credentials, in a secret.
 *
 * CloudFormation gives no credentials, so a function asks MediaPackage and puts them away; neither the template
 * nor an event of the stack ever holds them. The same function changes the passwords.
 */
export class Output extends Construct {
  readonly channelId: string;
  /** What MediaPackage's metrics call the channel. */
  readonly channelKey: string;
  /** What they call its two inputs. */
  readonly inputKeys: string[];
  readonly ready: CustomResource;

  constructor(scope: Construct, id: string, { ferry, channel, credentials }: OutputProps) {
    super(scope, id);
    this.channelId = names.channelId(ferry.name, channel.name);
    const channelArn = StringParameter.valueForStringParameter(
      this,
      names.channelArnParameter(ferry.name, channel.name),
    );
    // arn:aws:mediapackage:<region>:<account>:channels/<key>
    this.channelKey = Fn.select(1, Fn.split('/', channelArn));

    const secret = new secretsmanager.Secret(this, 'Secret', {
      secretName: names.ingestSecret(ferry.name, channel.name),
      description: `Addresses and credentials of the two inputs of ${channel.name}`,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    // What is made up at random is not an output; better no value than a wrong one.
    (secret.node.defaultChild as secretsmanager.CfnSecret).generateSecretString = undefined;

    iam.Grant.addToPrincipal({
      grantee: credentials,
      actions: ['mediapackage:DescribeChannel', 'mediapackage:RotateIngestEndpointCredentials'],
      resourceArns: [channelArn],
    });
    const keeps = iam.Grant.addToPrincipal({
      grantee: credentials,
      actions: [
        'secretsmanager:DescribeSecret',
        'secretsmanager:GetSecretValue',
        'secretsmanager:PutSecretValue',
        'secretsmanager:UpdateSecretVersionStage',
      ],
      // By name, with the six letters of chance that an ARN of a secret ends with.
      resourceArns: [
        Stack.of(this).formatArn({
          service: 'secretsmanager',
          resource: 'secret',
          resourceName: `${names.ingestSecret(ferry.name, channel.name)}-??????`,
          arnFormat: ArnFormat.COLON_RESOURCE_NAME,
        }),
      ],
    });

    this.ready = new CustomResource(this, 'Credentials', {
      resourceType: 'Custom::IngestCredentials',
      serviceToken: credentials.functionArn,
      serviceTimeout: Duration.seconds(timeouts.customResource),
      // A channel that was made anew has another ARN, and other credentials.
      properties: { ChannelId: this.channelId, ChannelArn: channelArn, SecretId: secret.secretArn },
    });
    keeps.applyBefore(this.ready);
    this.inputKeys = [1, 2].map((input) => this.ready.getAttString(`IngestEndpointId${input}`));

    if (channel.rotateCredentialsDays > 0) {
      this.rotate(secret, credentials, channel.rotateCredentialsDays);
    } else {
      acknowledge(secret, {
        SMG4: 'The owner has switched rotation off (channels[].rotateCredentialsDays).',
      });
    }
  }

  private rotate(secret: secretsmanager.Secret, credentials: FerryFunction, days: number): void {
    const allowed = new lambda.CfnPermission(this, 'MayRotate', {
      action: 'lambda:InvokeFunction',
      functionName: credentials.functionArn,
      principal: 'secretsmanager.amazonaws.com',
      sourceAccount: Aws.ACCOUNT_ID,
      sourceArn: secret.secretArn,
    });
    const rotation = new secretsmanager.CfnRotationSchedule(this, 'Rotation', {
      secretId: secret.secretArn,
      rotationLambdaArn: credentials.functionArn,
      rotationRules: { automaticallyAfterDays: days },
      rotateImmediatelyOnUpdate: false,
    });
    rotation.node.addDependency(allowed, this.ready);
  }
}

export interface OnAirProps {
  readonly channel: Channel;
  /** The address of what it plays. */
  readonly source: string;
  readonly output: Output;
  readonly sessions: FerryFunction;
  /** What must be there before a session can run. */
  readonly needs: Construct[];
}

/** A session that begins with the deploy, follows the configuration, and ends with the stack. */
export class OnAir extends Construct {
  constructor(scope: Construct, id: string, { channel, source, output, sessions, needs }: OnAirProps) {
    super(scope, id);
    const session = new CustomResource(this, 'Session', {
      resourceType: 'Custom::Session',
      serviceToken: sessions.functionArn,
      serviceTimeout: Duration.seconds(timeouts.customResource),
      properties: { Name: channel.name, SourceUrl: source, Channel: channel.name },
    });
    session.node.addDependency(output.ready, ...needs);
  }
}
