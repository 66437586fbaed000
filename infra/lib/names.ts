import type { Format } from '../config/schema.ts';

/**
 * Names by which the stacks find each other's parts.
 *
 * They are the whole of what the stacks know of each other. A CloudFormation export that another stack imports
 * could no longer be changed; a name can always be looked up again.
 */
export const names = {
  relayStack: (ferry: string) => `${ferry}-relay`,
  packagingStack: (ferry: string, channel: string) => `${ferry}-packaging-${channel}`,

  /** MediaPackage's id of a channel. */
  channelId: (ferry: string, channel: string) => `${ferry}-${channel}`,
  endpointId: (ferry: string, channel: string, format: Format) => `${ferry}-${channel}-${format}`,
  /** The parameter in which a packaging stack leaves the ARN of its channel. */
  channelArnParameter: (ferry: string, channel: string) => `/${ferry}/channels/${channel}/arn`,

  /** What every secret of the deployment begins with. */
  secrets: (ferry: string) => `${ferry}/`,
  /** The secret with a channel's ingest addresses and credentials, made by the relay stack. */
  ingestSecret: (ferry: string, channel: string) => `${ferry}/channels/${channel}`,

  /** A function, as `cargo lambda deploy` finds it too. */
  function: (ferry: string, name: string) => `${ferry}-${name}`,
  /** Where the functions' metrics are. */
  metrics: (ferry: string) => ferry,
};
