import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Duration, RemovalPolicy } from 'aws-cdk-lib';
import * as iam from 'aws-cdk-lib/aws-iam';
import * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { ConfigError, type Ferry } from '../../config/schema.ts';
import { acknowledge } from '../acknowledge.ts';
import { names } from '../names.ts';

/** The folders of `functions/` that are deployed. */
export type FunctionName = 'advance' | 'dispatch' | 'sessions' | 'channels' | 'credentials';

export interface FerryFunctionProps {
  readonly ferry: Ferry;
  /** Where `make build` leaves `<name>/bootstrap.zip`. */
  readonly built: string;
  readonly description: string;
  readonly memoryMb: number;
  readonly timeoutSeconds: number;
  readonly environment?: Record<string, string>;
}

/** One of the Rust functions, by its name in `functions/`, with a role that may do nothing but log. */
export class FerryFunction extends lambda.Function {
  declare readonly role: iam.Role;

  constructor(scope: Construct, name: FunctionName, props: FerryFunctionProps) {
    const { ferry } = props;
    const zip = join(props.built, name, 'bootstrap.zip');
    if (!existsSync(zip)) {
      throw new ConfigError(`${zip} is missing: build the functions first (make build).`);
    }
    const { architecture } = ferry.relay;
    const builtFor = join(props.built, 'architecture');
    if (existsSync(builtFor) && readFileSync(builtFor, 'utf8').trim() !== architecture) {
      throw new ConfigError(
        `${props.built} has functions for another architecture: build them for this one (make build ARCH=${architecture}).`,
      );
    }
    const functionName = names.function(ferry.name, name);
    const logGroup = new logs.LogGroup(scope, `${name}-log`, {
      logGroupName: `/aws/lambda/${functionName}`,
      retention: ferry.logDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    const role = new iam.Role(scope, `${name}-role`, {
      assumedBy: new iam.ServicePrincipal('lambda.amazonaws.com'),
      description: `What ${functionName} may do`,
    });
    logGroup.grantWrite(role);

    super(scope, name, {
      functionName,
      description: props.description,
      runtime: lambda.Runtime.PROVIDED_AL2023,
      architecture: architecture === 'arm64' ? lambda.Architecture.ARM_64 : lambda.Architecture.X86_64,
      handler: 'bootstrap',
      code: lambda.Code.fromAsset(zip),
      memorySize: props.memoryMb,
      timeout: Duration.seconds(props.timeoutSeconds),
      environment: { RUST_LOG: ferry.relay.logLevel, ...props.environment },
      role,
      logGroup,
      loggingFormat: lambda.LoggingFormat.JSON,
      applicationLogLevelV2: lambda.ApplicationLogLevel[levels[ferry.relay.logLevel]],
      // Lambda's own lines about every invocation would cost as much as the functions' own.
      systemLogLevelV2: lambda.SystemLogLevel.WARN,
      tracing: ferry.relay.tracing ? lambda.Tracing.ACTIVE : lambda.Tracing.DISABLED,
    });
    if (ferry.relay.tracing) {
      acknowledge(role, { 'IAM5[Resource::*]': 'X-Ray has no resources to name.' });
    }
  }
}

const levels = { trace: 'TRACE', debug: 'DEBUG', info: 'INFO', warn: 'WARN', error: 'ERROR' } as const;
