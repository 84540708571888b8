import { runParts } from '../../../../tools/bench/command-line.ts';
import { printMachine } from '../../../../tools/bench/table.ts';
import { etcdServers } from '../../../../tools/servers/index.ts';
import { measureOperations } from './operations.ts';
import { measurePopulations } from './populations.ts';
import { measurePropagation } from './propagation.ts';
import { measureRecovery } from './recovery.ts';

printMachine(`etcd ${etcdServers()[0]?.name ?? 'none'}`);
await runParts({
  operations: measureOperations,
  propagation: measurePropagation,
  crowds: measurePopulations,
  recovery: measureRecovery,
});
