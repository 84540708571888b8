import { runParts } from '../../../../tools/bench/command-line.ts';
import { printMachine } from '../../../../tools/bench/table.ts';
import { measureImports } from './imports.ts';
import { measurePropagation } from './propagation.ts';
import { measureRecovery } from './recovery.ts';
import { measureScale } from './scale.ts';

printMachine('the API server of the tests'); // what that takes itself is not what a real one takes
await runParts({
  imports: measureImports,
  scale: measureScale,
  propagation: measurePropagation,
  recovery: measureRecovery,
});
