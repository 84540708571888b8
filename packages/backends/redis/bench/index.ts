import { cpus } from 'node:os';
import { redisServers } from '../../../../tools/servers/index.ts';
import { hazelIsInstalled } from './hazel.ts';
import { measureIdling } from './idle.ts';
import { measureLookups } from './lookups.ts';
import { measureOperations } from './operations.ts';
import { measurePropagation } from './propagation.ts';
import { measureRecovery } from './recovery.ts';
import { Stage } from './stage.ts';

const measurements: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  operations: measureOperations,
  lookups: measureLookups,
  propagation: measurePropagation,
  recovery: measureRecovery,
  idling: measureIdling,
};

// `--quick` makes all small; names of measurements run these alone.
const args = process.argv.slice(2);
const chosen = args.filter((arg) => arg in measurements);
const quick = args.includes('--quick');
const withPeers = !args.includes('--no-peers') && hazelIsInstalled();

const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}`;
console.log(`Node ${process.version}, ${redisServers()[0]?.name ?? 'no Redis'}, ${machine}`);
if (!withPeers) console.log('Peers: not installed.');
for (const name of chosen.length > 0 ? chosen : Object.keys(measurements)) {
  await using stage = new Stage({ quick, libraries: withPeers ? ['sd', 'hazel'] : ['sd'] });
  await measurements[name]?.(stage);
}
