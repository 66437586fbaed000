import { readFileSync } from 'node:fs';
import { RemovalPolicy } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import * as sfn from 'aws-cdk-lib/aws-stepfunctions';
import { Construct } from 'constructs';
import type { Ferry } from '../../config/schema.ts';
import { acknowledge } from '../acknowledge.ts';
import { names } from '../names.ts';

/** The text of the state machine, whose one placeholder is `${AdvanceFunctionArn}`. */
export const definition = readFileSync(
  new URL('../../../statemachine/advance.asl.json', import.meta.url),
  'utf8',
);

export interface LoopProps {
  readonly ferry: Ferry;
  readonly advance: lambda.Function;
}

/** The state machine that advances one shard, poll after poll. */
export class Loop extends Construct {
  readonly machine: sfn.StateMachine;

  constructor(scope: Construct, id: string, { ferry, advance }: LoopProps) {
    super(scope, id);
    const verbose = ferry.relay.logLevel === 'debug' || ferry.relay.logLevel === 'trace';
    this.machine = new sfn.StateMachine(this, 'Machine', {
      stateMachineName: names.function(ferry.name, 'advance'),
      stateMachineType: sfn.StateMachineType.EXPRESS,
      definitionBody: sfn.DefinitionBody.fromString(definition),
      definitionSubstitutions: { AdvanceFunctionArn: advance.functionArn },
      tracingEnabled: ferry.relay.tracing,
      logs: {
        destination: new logs.LogGroup(this, 'Log', {
          // The beginning that keeps CloudWatch's policy of log deliveries short.
          logGroupName: `/aws/vendedlogs/states/${ferry.name}-advance`,
          retention: ferry.logDays,
          removalPolicy: RemovalPolicy.DESTROY,
        }),
        level: verbose ? sfn.LogLevel.ALL : sfn.LogLevel.ERROR,
        includeExecutionData: false,
      },
    });
    // Only the function itself: a grant by method would include its versions and aliases.
    iam.Grant.addToPrincipal({
      grantee: this.machine,
      actions: ['lambda:InvokeFunction'],
      resourceArns: [advance.functionArn],
    });

    acknowledge(this.machine.role, {
      'IAM5[Resource::*]': 'The delivery of logs and traces has no resources to name.',
    });
    acknowledge(this.machine, {
      ...(!verbose && { SF1: 'Each step of each poll would be a line, at the price of the loop itself.' }),
      ...(!ferry.relay.tracing && {
        SF2: 'A trace of every poll is for the owner to switch on (relay.tracing).',
      }),
    });
  }
}
