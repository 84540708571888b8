import { cpus } from 'node:os';
import { measureCrowds } from './crowds.ts';
import { measureOperations } from './operations.ts';
import { measurePropagation } from './propagation.ts';
import { measureRecovery } from './recovery.ts';

// `--quick` makes all small; names of measurements run these alone.
const args = process.argv.slice(2);
const quick = args.includes('--quick');
const measurements: Readonly<Record<string, () => Promise<void>>> = {
  operations: () => measureOperations(quick ? 100 : 1_000),
  propagation: () => measurePropagation(quick ? 50 : 300),
  crowds: () => measureCrowds(quick ? 100 : 1_000),
  recovery: () => measureRecovery(),
};
const chosen = args.filter((arg) => arg in measurements);

console.log(`Node ${process.version}, Consul 1.8.7, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}`);
for (const name of chosen.length > 0 ? chosen : Object.keys(measurements)) await measurements[name]?.();
