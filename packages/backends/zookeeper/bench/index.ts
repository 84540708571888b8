import { cpus } from 'node:os';
import { measureCrowds } from './crowds.ts';
import { measureOperations } from './operations.ts';
import { measurePropagation } from './propagation.ts';
import { measureRecovery } from './recovery.ts';
import { Stage } from './stage.ts';

const measurements: Readonly<Record<string, (stage: Stage) => Promise<void>>> = {
  operations: measureOperations,
  propagation: measurePropagation,
  crowds: measureCrowds,
};

// Names of measurements run these alone.
const args = process.argv.slice(2);
const isChosen = (name: string): boolean => args.length === 0 || args.includes(name);

console.log(`Node ${process.version}, ZooKeeper, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}`);
for (const [name, measure] of Object.entries(measurements)) {
  if (!isChosen(name)) continue;
  await using stage = await Stage.open();
  await measure(stage);
}
if (isChosen('recovery')) await measureRecovery();
