import { runParts } from '../../../../tools/bench/command-line.ts';
import { printMachine } from '../../../../tools/bench/table.ts';
import { measureCrowds } from './crowds.ts';
import { measureOperations } from './operations.ts';
import { measurePropagation } from './propagation.ts';
import { measureRecovery } from './recovery.ts';
import { Stage } from './stage.ts';

printMachine('ZooKeeper');
const onStage = (measure: (stage: Stage) => Promise<void>) => async (): Promise<void> => {
  await using stage = await Stage.open();
  await measure(stage);
};
await runParts({
  operations: onStage(measureOperations),
  propagation: onStage(measurePropagation),
  crowds: onStage(measureCrowds),
  recovery: measureRecovery,
});
