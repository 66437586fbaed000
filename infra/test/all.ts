import { readdirSync } from 'node:fs';

// In one process: loading the CDK and its validators costs more than all tests together.
for (const file of readdirSync(import.meta.dirname).sort()) {
  if (file.endsWith('.test.ts')) {
    await import(`./${file}`);
  }
}
