import { Validations } from 'aws-cdk-lib';
import type { IConstruct } from 'constructs';

/** Says why a rule of cdk-nag's AwsSolutions pack does not hold for `scope` and what is below it. */
export function acknowledge(scope: IConstruct, rules: Record<string, string>): void {
  for (const [rule, reason] of Object.entries(rules)) {
    Validations.of(scope).acknowledge({ id: `AwsSolutions-${rule}`, reason });
  }
}
