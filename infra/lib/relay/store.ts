import { RemovalPolicy } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';

/** The index of the sessions that are to be advanced: an item is in it as long as it has the attribute. */
const ACTIVE = 'active';

export interface StoreProps {
  readonly removal: 'retain' | 'destroy';
}

/** The one table: sessions, their cursors, and the guard of each destination. */
export class Store extends Construct {
  readonly table: dynamodb.TableV2;

  constructor(scope: Construct, id: string, { removal }: StoreProps) {
    super(scope, id);
    const keep = removal === 'retain';
    const { STRING } = dynamodb.AttributeType;
    this.table = new dynamodb.TableV2(this, 'Table', {
      partitionKey: { name: 'PK', type: STRING },
      sortKey: { name: 'SK', type: STRING },
      billing: dynamodb.Billing.onDemand(),
      timeToLiveAttribute: 'expires',
      pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
      deletionProtection: keep,
      removalPolicy: keep ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
      globalSecondaryIndexes: [
        {
          indexName: ACTIVE,
          partitionKey: { name: ACTIVE, type: STRING },
          sortKey: { name: 'SK', type: STRING },
          // What `dispatch` counts and packs by; the rest would be copied with every report.
          projectionType: dynamodb.ProjectionType.INCLUDE,
          nonKeyAttributes: ['status', 'bits_per_second', 'tick_ms'],
        },
      ],
    });
  }

  /** Lets `who` carry sessions on: their items by key. */
  grantAdvance(who: iam.IGrantable): void {
    this.grant(who, [this.table.tableArn], ['BatchGetItem', 'GetItem', ...writes]);
  }

  /** Lets `who` find the sessions that are to be advanced. */
  grantFindActive(who: iam.IGrantable): void {
    this.grant(who, [`${this.table.tableArn}/index/${ACTIVE}`], ['Query']);
  }

  /** Lets `who` make, list and end sessions. */
  grantKeep(who: iam.IGrantable): void {
    this.grant(who, [this.table.tableArn], ['GetItem', 'Query', ...writes]);
  }

  private grant(grantee: iam.IGrantable, resourceArns: string[], actions: string[]): void {
    iam.Grant.addToPrincipal({
      grantee,
      resourceArns,
      actions: actions.map((action) => `dynamodb:${action}`),
    });
  }
}

/** A transaction needs the permissions of its parts. */
const writes = ['ConditionCheckItem', 'DeleteItem', 'PutItem', 'UpdateItem'];
