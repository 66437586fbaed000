import * as iam from 'aws-cdk-lib/aws-iam';
import type { CfnOriginEndpoint } from 'aws-cdk-lib/aws-mediapackage';
import * as secretsmanager from 'aws-cdk-lib/aws-secretsmanager';
import { Construct } from 'constructs';
import { acknowledge } from '../acknowledge.ts';

/** What CloudFront shows to MediaPackage, so that nobody goes round CloudFront. */
export class CdnSecret extends Construct {
  /** The request header, with its value looked up at deploy. */
  readonly header: Record<string, string>;
  /** How an endpoint checks it. */
  readonly authorization: CfnOriginEndpoint.AuthorizationProperty;
  /** The role by which it does. */
  readonly role: iam.Role;

  constructor(scope: Construct, id: string) {
    super(scope, id);
    const key = 'MediaPackageCDNIdentifier';
    const secret = new secretsmanager.Secret(this, 'Secret', {
      description: 'Shown by CloudFront to MediaPackage in X-MediaPackage-CDNIdentifier',
      generateSecretString: {
        secretStringTemplate: '{}',
        generateStringKey: key,
        // 32 hexadecimal digits, as many as a UUID has.
        passwordLength: 32,
        excludePunctuation: true,
        excludeUppercase: true,
        excludeCharacters: 'ghijklmnopqrstuvwxyz',
      },
    });
    acknowledge(secret, {
      SMG4: 'CloudFront learns the value at deploy only; the runbook has the steps to change it.',
    });
    this.header = { 'X-MediaPackage-CDNIdentifier': secret.secretValueFromJson(key).unsafeUnwrap() };

    this.role = new iam.Role(this, 'Role', {
      description: 'By which MediaPackage reads what CloudFront must show',
      assumedBy: new iam.ServicePrincipal('mediapackage.amazonaws.com'),
    });
    this.role.addToPolicy(
      new iam.PolicyStatement({
        actions: [
          'secretsmanager:GetSecretValue',
          'secretsmanager:DescribeSecret',
          'secretsmanager:ListSecretVersionIds',
        ],
        resources: [secret.secretArn],
      }),
    );
    this.role.addToPolicy(
      new iam.PolicyStatement({ actions: ['iam:GetRole', 'iam:PassRole'], resources: [this.role.roleArn] }),
    );
    this.authorization = { cdnIdentifierSecret: secret.secretArn, secretsRoleArn: this.role.roleArn };
  }
}
