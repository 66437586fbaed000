import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { CliCredentialsStackSynthesizer } from 'aws-cdk-lib';
import { ConfigError, parse } from '../config/schema.ts';
import { deployment, ferryApp } from '../lib/app.ts';

const app = ferryApp();
const context = (key: string): string | undefined => app.node.tryGetContext(key);

try {
  // `-c config=<file>` deploys another configuration, `-c built=<folder>` other functions.
  const config = await import(pathToFileURL(resolve(context('config') ?? 'config/ferry.ts')).href);
  deployment(app, {
    ferry: parse(config.default),
    built: resolve(context('built') ?? '../target/lambda'),
    // `-c credentials=cli` deploys as the caller, without the roles of the bootstrap stack.
    ...(context('credentials') === 'cli' && { synthesizer: () => new CliCredentialsStackSynthesizer() }),
  });
} catch (error) {
  if (!(error instanceof ConfigError)) {
    throw error;
  }
  console.error(error.message);
  process.exit(1);
}
app.synth();
