import { isQuick, runParts } from '../../../../tools/bench/command-line.ts';
import { printMachine } from '../../../../tools/bench/table.ts';
import { measureCrowds } from './crowds.ts';
import { measureOperations } from './operations.ts';
import { measurePropagation } from './propagation.ts';
import { measureRecovery } from './recovery.ts';

printMachine('Consul 1.8.7');
await runParts({
  operations: () => measureOperations(isQuick ? 100 : 1_000, isQuick ? 1 : 5),
  propagation: () => measurePropagation(isQuick ? 50 : 300),
  crowds: () => measureCrowds(isQuick ? 100 : 1_000),
  recovery: measureRecovery,
});
