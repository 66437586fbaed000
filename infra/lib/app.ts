import { App, type AppProps, type IStackSynthesizer, Tags, Validations } from 'aws-cdk-lib';
import flags from 'aws-cdk-lib/recommended-feature-flags.json' with { type: 'json' };
import { AwsSolutionsChecks } from 'cdk-nag';
import type { Ferry } from '../config/schema.ts';
import { names } from './names.ts';
import { PackagingStack } from './packaging/stack.ts';
import { RelayStack } from './relay/stack.ts';

/** An app with every behaviour that the pinned version of the CDK recommends to new ones. */
export const ferryApp = (props: AppProps = {}): App => new App({ ...props, postCliContext: flags });

export interface DeploymentProps {
  readonly ferry: Ferry;
  /** Where `make build` leaves `<name>/bootstrap.zip`. */
  readonly built: string;
  /** How a stack is deployed; absent: as the CDK does. */
  readonly synthesizer?: () => IStackSynthesizer;
}

/** Adds every stack of a deployment: packaging for each channel, and the relay. */
export function deployment(app: App, { ferry, built, synthesizer }: DeploymentProps): void {
  for (const channel of ferry.channels) {
    new PackagingStack(app, names.packagingStack(ferry.name, channel.name), {
      ferry,
      channel,
      synthesizer: synthesizer?.(),
    });
  }
  new RelayStack(app, names.relayStack(ferry.name), { ferry, built, synthesizer: synthesizer?.() });
  Tags.of(app).add('hls-ferry', ferry.name, {
    // MediaPackage takes tags when a channel is made only; a change would make a new channel, with new URLs.
    excludeResourceTypes: ['AWS::MediaPackage::Channel', 'AWS::MediaPackage::OriginEndpoint'],
  });
  Validations.of(app).addPlugins(new AwsSolutionsChecks(app));
}
