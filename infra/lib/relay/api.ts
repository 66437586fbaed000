import { RemovalPolicy } from 'aws-cdk-lib';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import * as apigateway from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer, HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import type { Ferry } from '../../config/schema.ts';
import { names } from '../names.ts';

export interface ApiProps {
  readonly ferry: Ferry;
  readonly sessions: lambda.Function;
  readonly channels: lambda.Function;
}

/** The API of sessions and channels, closed to all but those whom the configuration names. */
export class Api extends Construct {
  readonly api: apigateway.HttpApi;

  constructor(scope: Construct, id: string, { ferry, sessions, channels }: ApiProps) {
    super(scope, id);
    const { auth } = ferry.relay;
    this.api = new apigateway.HttpApi(this, 'Http', {
      apiName: names.function(ferry.name, 'sessions'),
      description: 'Sessions, and the channels that are made of VODs',
      defaultIntegration: new HttpLambdaIntegration('Sessions', sessions),
      defaultAuthorizer:
        auth === 'iam'
          ? new HttpIamAuthorizer()
          : new HttpJwtAuthorizer('Jwt', auth.issuer, { jwtAudience: auth.audience }),
      createDefaultStage: false,
    });
    // The functions route by themselves, from the same code as on one machine. The function takes what comes by a
    // named route as let in, and all else for a viewer's.
    const integration = new HttpLambdaIntegration('Channels', channels);
    for (const path of ['/assets', '/assets/{proxy+}', '/channels', '/channels/{proxy+}']) {
      this.api.addRoutes({ path, integration });
    }
    const log = new logs.LogGroup(this, 'Log', {
      logGroupName: `/aws/vendedlogs/apis/${ferry.name}-sessions`,
      retention: ferry.logDays,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    new apigateway.HttpStage(this, 'Stage', {
      httpApi: this.api,
      autoDeploy: true,
      // A person or a program that makes sessions needs no more; a loop gone wild gets no further.
      throttle: { rateLimit: 20, burstLimit: 40 },
      detailedMetricsEnabled: true,
      accessLogSettings: {
        destination: new apigateway.LogGroupLogDestination(log),
        format: AccessLogFormat.custom(
          JSON.stringify({
            time: '$context.requestTime',
            request: '$context.requestId',
            caller: '$context.identity.userArn',
            from: '$context.identity.sourceIp',
            method: '$context.httpMethod',
            path: '$context.path',
            status: '$context.status',
            error: '$context.error.message',
            latency_ms: '$context.responseLatency',
          }),
        ),
      },
    });
  }
}
