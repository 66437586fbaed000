import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { type FerryInput, parse } from '../config/schema.ts';
import { deployment, ferryApp } from '../lib/app.ts';

/** A resource of a template. */
export interface Resource {
  Type: string;
  // biome-ignore lint/suspicious/noExplicitAny: what CloudFormation takes has no type here
  Properties: Record<string, any>;
  DependsOn?: string[];
}

const functions = (architecture: string) => {
  const folder = mkdtempSync(join(tmpdir(), 'ferry-'));
  writeFileSync(join(folder, 'architecture'), `${architecture}\n`);
  for (const name of ['advance', 'dispatch', 'sessions', 'channels', 'credentials']) {
    mkdirSync(join(folder, name));
    writeFileSync(join(folder, name, 'bootstrap.zip'), `not ${name}`);
  }
  process.on('exit', () => rmSync(folder, { recursive: true }));
  return folder;
};

/** A folder of functions that only look like them. */
export const built = functions('arm64');
const builtForX86 = functions('x86_64');

/** The templates of a configuration, by the names of their stacks, and what the rule packs found. */
export function synth(
  config: FerryInput,
  functions = config.relay?.architecture === 'x86_64' ? builtForX86 : built,
  change: (app: App) => void = () => {},
) {
  const app = ferryApp();
  deployment(app, { ferry: parse(config), built: functions });
  change(app);
  const assembly = app.synth();
  const report = JSON.parse(readFileSync(join(assembly.directory, 'validation-report.json'), 'utf8'));
  return {
    stacks: assembly.stacks.map(({ stackName, terminationProtection }) => ({
      stackName,
      terminationProtection,
    })),
    folder: assembly.directory,
    stack: (name: string) => Template.fromJSON(assembly.getStackByName(name).template),
    findings: report.pluginReports.flatMap((plugin: { violations: { ruleName: string }[] }) =>
      plugin.violations.map(({ ruleName }) => ruleName),
    ),
  };
}

/** The resources of a type, by their logical ids. */
export function resources(template: Template, type: string): Record<string, Resource> {
  return template.findResources(type) as Record<string, Resource>;
}

/** The one resource of a type that is as `is` says. */
export function only(template: Template, type: string, is: (resource: Resource) => boolean = () => true) {
  const found = Object.values(resources(template, type)).filter(is);
  if (found.length !== 1 || !found[0]) {
    throw new Error(`${found.length} resources of type ${type}`);
  }
  return found[0].Properties;
}

/**
 * A value of a template as one string, `<Id.Attribute>` for what is known at deploy only.
 *
 * Logical ids are without their hashes.
 */
export function text(value: unknown): string {
  if (typeof value === 'string') {
    return value;
  }
  if (Array.isArray(value)) {
    return value.map(text).join(', ');
  }
  // biome-ignore lint/suspicious/noExplicitAny: as above
  const [[name, of] = ['', '']] = Object.entries<any>(value ?? {});
  switch (name) {
    case 'Ref':
      return `<${unhashed(of)}>`;
    case 'Fn::GetAtt':
      return `<${unhashed(of[0])}.${of[1]}>`;
    case 'Fn::Join':
      return of[1].map(text).join(of[0]);
    case 'Fn::Select':
      return `<part ${of[0]} of ${text(of[1])}>`;
    case 'Fn::Split':
      return text(of[1]);
    default:
      return JSON.stringify(value);
  }
}

const unhashed = (id: string) => id.replace(/[0-9A-F]{8}$/, '');
