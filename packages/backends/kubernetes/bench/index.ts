import { cpus } from 'node:os';
import { measureImports } from './imports.ts';
import { measurePropagation } from './propagation.ts';
import { measureRecovery } from './recovery.ts';
import { measureScale } from './scale.ts';

const measurements: Readonly<Record<string, () => Promise<void>>> = {
  imports: measureImports,
  scale: measureScale,
  propagation: measurePropagation,
  recovery: measureRecovery,
};

// Names of measurements run these alone. The server is that of the tests, so what it takes itself is not a real one's.
const chosen = process.argv.slice(2).filter((arg) => arg in measurements);
console.log(`Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}`);
for (const name of chosen.length > 0 ? chosen : Object.keys(measurements)) await measurements[name]?.();
