import { ArnFormat, Stack } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import { acknowledge } from '../acknowledge.ts';
import { names } from '../names.ts';

/** The secrets of the deployment, by name: of the channels and of the sessions. */
export class Secrets {
  readonly prefix: string;
  private readonly scope: Construct;

  constructor(scope: Construct, ferry: string) {
    this.scope = scope;
    this.prefix = names.secrets(ferry);
  }

  /** Lets `who` read the ingest credentials of channels and sessions. */
  grantRead(who: iam.IRole): void {
    this.grant(who, ['GetSecretValue'], ['channels', 'sessions']);
  }

  /** Lets `who` put away what a request to make a session holds. */
  grantKeep(who: iam.IRole): void {
    this.grant(who, ['CreateSecret', 'PutSecretValue'], ['sessions']);
  }

  /** Lets `who` throw away what an ended session needs no more. */
  grantForget(who: iam.IRole): void {
    this.grant(who, ['DeleteSecret'], ['sessions']);
  }

  private grant(grantee: iam.IRole, actions: string[], kinds: ('channels' | 'sessions')[]): void {
    const resources = kinds.map((kind) => `${this.prefix}${kind}/*`);
    iam.Grant.addToPrincipal({
      grantee,
      actions: actions.map((action) => `secretsmanager:${action}`),
      resourceArns: resources.map((resourceName) =>
        Stack.of(this.scope).formatArn({
          service: 'secretsmanager',
          resource: 'secret',
          resourceName,
          arnFormat: ArnFormat.COLON_RESOURCE_NAME,
        }),
      ),
    });
    const reason =
      'A session and its secret come and go; the ARN of a secret ends with six letters of chance.';
    const region = 'arn:<AWS::Partition>:secretsmanager:<AWS::Region>:<AWS::AccountId>';
    for (const resource of resources) {
      acknowledge(grantee, { [`IAM5[Resource::${region}:secret:${resource}]`]: reason });
    }
  }
}
