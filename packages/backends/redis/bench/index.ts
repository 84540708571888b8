import { isQuick, runParts } from '../../../../tools/bench/command-line.ts';
import { withPeers } from '../../../../tools/bench/peers.ts';
import { printMachine } from '../../../../tools/bench/table.ts';
import { redisServers } from '../../../../tools/servers/index.ts';
import { measureIdling } from './idle.ts';
import { measureLookups } from './lookups.ts';
import { measureOperations } from './operations.ts';
import { measurePropagation } from './propagation.ts';
import { measureRecovery } from './recovery.ts';
import { Stage } from './stage.ts';

printMachine(redisServers()[0]?.name ?? 'no Redis');
const libraries = withPeers() ? (['sd', 'hazel'] as const) : (['sd'] as const);
const onStage = (measure: (stage: Stage) => Promise<void>) => async (): Promise<void> => {
  await using stage = new Stage({ quick: isQuick, libraries });
  await measure(stage);
};
await runParts({
  operations: onStage(measureOperations),
  lookups: onStage(measureLookups),
  propagation: onStage(measurePropagation),
  recovery: onStage(measureRecovery),
  crowds: onStage(measureIdling),
});
