import { runParts } from '../command-line.ts';
import { printMachine } from '../table.ts';
import { measureConsumers } from './consumers.ts';
import { measureWatches } from './watches.ts';

printMachine('Redis and etcd with the defaults of their backends');
await runParts({ watches: measureWatches, consumers: measureConsumers });
