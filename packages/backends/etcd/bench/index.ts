import { cpus } from 'node:os';
import { etcdServers } from '../../../../tools/servers/index.ts';
import { measureOperations } from './operations.ts';
import { measurePopulations } from './populations.ts';
import { measurePropagation } from './propagation.ts';
import { measureRecovery } from './recovery.ts';

const measurements: Readonly<Record<string, () => Promise<void>>> = {
  operations: measureOperations,
  propagation: measurePropagation,
  populations: measurePopulations,
  recovery: measureRecovery,
};

// Names of measurements run these alone.
const chosen = process.argv.slice(2).filter((arg) => arg in measurements);
const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}`;
console.log(`Node ${process.version}, etcd ${etcdServers()[0]?.name ?? 'none'}, ${machine}`);
for (const name of chosen.length > 0 ? chosen : Object.keys(measurements)) await measurements[name]?.();
