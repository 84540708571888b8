import { fork } from 'node:child_process';
import { once } from 'node:events';
import { isQuick } from '../../../../tools/bench/command-line.ts';
import { median } from '../../../../tools/bench/statistics.ts';
import { figure, printMachine, printTable } from '../../../../tools/bench/table.ts';
import { modes } from './modes.ts';

const [rounds, calls] = isQuick ? [3, 5_000] : [15, 20_000];

// Without the condition that resolves packages to their sources: what is measured is what is published.
const execArgv = process.execArgv.filter((argument) => !argument.startsWith('--conditions'));

/** Each in a process of its own, and all in turn in each round, so that the noise of the machine hits all alike. */
const entrants = Object.keys(modes).map((name) => ({
  name,
  worker: fork(new URL('worker.ts', import.meta.url), [name], { execArgv }),
  times: [] as number[],
}));
for (let round = -2; round < rounds; round += 1) {
  for (const { worker, times } of entrants) {
    worker.send(calls);
    const [time] = (await once(worker, 'message')) as [number];
    if (round >= 0) times.push(time); // the first are for the compiler
  }
}
for (const { worker } of entrants) worker.disconnect();

const base = median(entrants[0]?.times ?? []);
printMachine();
printTable(
  `CPU time per discovery.call() of one attempt: medians of ${rounds} rounds of ${calls} calls, in turn`,
  ['', 'us per call', 'more', 'ratio'],
  entrants.map(({ name, times }) => {
    const time = median(times);
    return [name, figure(time), figure(time - base), `${(time / base).toFixed(2)}x`];
  }),
);
