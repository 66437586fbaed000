import { CfnOutput, Stack, type StackProps } from 'aws-cdk-lib';
import type { Construct } from 'constructs';
import type { Ferry } from '../../config/schema.ts';
import { names } from '../names.ts';
import { timeouts } from '../timeouts.ts';
import { Api } from './api.ts';
import { Cadence } from './cadence.ts';
import { FerryFunction } from './function.ts';
import { Loop } from './loop.ts';
import { OnAir, Output } from './output.ts';
import { Playout, Scheduled } from './playout.ts';
import { Secrets } from './secrets.ts';
import { Shelf, Store } from './store.ts';
import { Watch } from './watch.ts';

export interface RelayProps extends StackProps {
  readonly ferry: Ferry;
  /** Where `make build` leaves `<name>/bootstrap.zip`. */
  readonly built: string;
}

/** What carries: the functions, their state machine, their table, the API and the alarms. */
export class RelayStack extends Stack {
  constructor(scope: Construct, id: string, { ferry, built, ...props }: RelayProps) {
    super(scope, id, { description: 'HLS Ferry: the relay', ...props });
    const store = new Store(this, 'Store', { removal: ferry.removal });
    const shelf = new Shelf(this, 'Shelf', { removal: ferry.removal });
    const secrets = new Secrets(this, ferry.name);
    const common = { ferry, built };
    const storeAndSecrets = {
      FERRY_TABLE: store.table.tableName,
      FERRY_SECRETS: secrets.prefix,
      FERRY_METRICS: names.metrics(ferry.name),
    };

    const advance = new FerryFunction(this, 'advance', {
      ...common,
      description: 'One poll for every due session of a shard',
      memoryMb: ferry.relay.memoryMb,
      timeoutSeconds: timeouts.advance,
      environment: {
        ...storeAndSecrets,
        FERRY_HTTP_SECONDS: `${timeouts.http}`,
        FERRY_TICK_SECONDS: `${timeouts.tick}`,
      },
    });
    const loop = new Loop(this, 'Loop', { ferry, advance });
    const runs = {
      FERRY_STATE_MACHINE: loop.machine.stateMachineArn,
      FERRY_RUN_SECONDS: `${timeouts.run}`,
    };
    const dispatch = new FerryFunction(this, 'dispatch', {
      ...common,
      description: 'Every minute: active sessions, packed into shards, a run for each',
      memoryMb: 256,
      timeoutSeconds: timeouts.dispatch,
      environment: { FERRY_TABLE: store.table.tableName, FERRY_METRICS: names.metrics(ferry.name), ...runs },
    });
    const channels = new FerryFunction(this, 'channels', {
      ...common,
      description: 'Channels that are made of VODs: their API, their playlists and their schedules',
      memoryMb: 512,
      timeoutSeconds: timeouts.channels,
      environment: { FERRY_SHELF: shelf.table.tableName },
    });
    const playout = new Playout(this, 'Playout', { ferry, channels });
    const sessions = new FerryFunction(this, 'sessions', {
      ...common,
      description: 'The session API',
      memoryMb: 256,
      timeoutSeconds: timeouts.sessions,
      environment: {
        ...storeAndSecrets,
        ...runs,
        FERRY_CHANNELS: ferry.channels.map(({ name }) => name).join(','),
        FERRY_CHANNELS_URL: playout.url,
      },
    });
    const credentials = new FerryFunction(this, 'credentials', {
      ...common,
      description: "Puts MediaPackage's ingest credentials into secrets, and changes them",
      memoryMb: 128,
      timeoutSeconds: timeouts.credentials,
    });

    store.grantAdvance(advance);
    secrets.grantRead(advance.role);
    secrets.grantForget(advance.role);
    store.grantFindActive(dispatch);
    loop.machine.grantStartExecution(dispatch);
    shelf.grantKeep(channels);
    store.grantKeep(sessions);
    secrets.grantRead(sessions.role);
    secrets.grantKeep(sessions.role);
    secrets.grantForget(sessions.role);
    loop.machine.grantStartExecution(sessions);

    const cadence = new Cadence(this, 'Cadence', { dispatch, channels });
    const api = new Api(this, 'Api', { ferry, sessions, channels });
    const scheduled = new Scheduled(this, 'Scheduled', { ferry, channels, needs: [channels.role, shelf] });
    const outputs: Record<string, Output> = {};
    for (const channel of ferry.channels) {
      const output = new Output(this, `Output-${channel.name}`, { ferry, channel, credentials });
      outputs[channel.name] = output;
      if (channel.source) {
        const { source } = channel;
        const needs = [sessions.role, advance.role, store, loop];
        const played = typeof source === 'string' ? [] : scheduled.needed(source.channel);
        new OnAir(this, `OnAir-${channel.name}`, {
          channel,
          source:
            typeof source === 'string' ? source : `${playout.url}/channels/${source.channel}/master.m3u8`,
          output,
          sessions,
          needs: [...needs, ...played],
        });
      }
    }

    if (ferry.alarms) {
      const functions = { advance, dispatch, sessions, channels, credentials };
      new Watch(this, 'Watch', { ferry, functions, store, shelf, loop, cadence, api, outputs });
    }

    const [first] = ferry.channels;
    const out = (name: string, description: string, value: string) =>
      new CfnOutput(this, name, { description, value });
    out('ApiUrl', 'Where sessions and channels are made: POST <ApiUrl>/sessions', api.api.apiEndpoint);
    out('ChannelsUrl', 'Where channels play: <ChannelsUrl>/channels/<id>/master.m3u8', playout.url);
    out('TableName', 'The sessions and their cursors', store.table.tableName);
    out('StateMachineArn', 'Advances a shard', loop.machine.stateMachineArn);
    out(
      'DefaultOutput',
      'Where a session goes whose output names no channel and no endpoints',
      first ? JSON.stringify({ type: 'mediapackage', channel: first.name }) : 'none',
    );
  }
}
