import { RemovalPolicy } from 'aws-cdk-lib';
import * as dynamodb from 'aws-cdk-lib/aws-dynamodb';
import * as iam from 'aws-cdk-lib/aws-iam';
import { Construct } from 'constructs';

/** The index of the sessions that are to be advanced: an item is in it as long as it has the attribute. */
const ACTIVE = 'active';

export interface StoreProps {
  readonly removal: 'retain' | 'destroy';
}

/** The table of sessions: they, their cursors, and the guard of each destination. */
export class Store extends Construct {
  readonly table: dynamodb.TableV2;

  constructor(scope: Construct, id: string, { removal }: StoreProps) {
    super(scope, id);
    const { STRING } = dynamodb.AttributeType;
    this.table = new dynamodb.TableV2(this, 'Table', {
      ...items(removal),
      timeToLiveAttribute: 'expires',
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

/** The table of the channel engine: assets, their indexes, channels and their schedules. */
export class Shelf extends Construct {
  readonly table: dynamodb.TableV2;

  constructor(scope: Construct, id: string, { removal }: StoreProps) {
    super(scope, id);
    this.table = new dynamodb.TableV2(this, 'Table', items(removal));
  }

  /** Lets `who` read and write it, item by item; a whole partition at most. */
  grantKeep(grantee: iam.IGrantable): void {
    iam.Grant.addToPrincipal({
      grantee,
      resourceArns: [this.table.tableArn],
      actions: ['DeleteItem', 'GetItem', 'PutItem', 'Query'].map((action) => `dynamodb:${action}`),
    });
  }
}

/** A table of items by `PK` and `SK`, which is not lost by mistake. */
function items(removal: StoreProps['removal']): dynamodb.TablePropsV2 {
  const { STRING } = dynamodb.AttributeType;
  return {
    partitionKey: { name: 'PK', type: STRING },
    sortKey: { name: 'SK', type: STRING },
    billing: dynamodb.Billing.onDemand(),
    pointInTimeRecoverySpecification: { pointInTimeRecoveryEnabled: true },
    deletionProtection: removal === 'retain',
    removalPolicy: removal === 'retain' ? RemovalPolicy.RETAIN : RemovalPolicy.DESTROY,
  };
}

/** A transaction needs the permissions of its parts. */
const writes = ['ConditionCheckItem', 'DeleteItem', 'PutItem', 'UpdateItem'];
