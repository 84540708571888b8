import { chosenParts, hasFlag, isQuick } from '../../../../tools/bench/command-line.ts';
import { Program } from '../../../../tools/bench/program.ts';
import { median, quantile } from '../../../../tools/bench/statistics.ts';
import { figure, printMachine, printTable } from '../../../../tools/bench/table.ts';
import { inTurn } from '../../../../tools/bench/turns.ts';
import { contestants, type ContestantName } from './contestants.ts';
import type { LoadTasks } from './load.program.ts';
import type { ServersTasks } from './servers.program.ts';

const [generations, rounds, ms] = isQuick ? [1, 5, 300] : [8, 4, 500];
/** So many rounds do not count: V8 compiles for some seconds, and then has less to do for a request. */
const warmUps = isQuick ? 3 : 8;
const concurrency = 50;
const loadProgram = new URL('load.program.ts', import.meta.url);
const baselines = { request: 'request: Pools by hand', fetch: 'fetch: Pools by hand' } as const;

// A part is what names of contestants begin with: `request`, `fetch`.
const [only = ''] = chosenParts;
const names = (Object.keys(contestants) as ContestantName[]).filter(
  (name) => name.startsWith(only) && (name.includes('@sd') || !hasFlag('no-peers')),
);
await using servers = new Program<ServersTasks>(new URL('servers.program.ts', import.meta.url));
const ports = await servers.ask('start', { count: 3 });
const measured = new Map(names.map((name) => [name, [] as { perSecond: number; cpuUs: number }[]]));
// A process of its own for each, as its user has it, and anew a few times: no two are compiled alike, and differ by a tenth.
for (let generation = 0; generation < generations; generation += 1) {
  const loads = new Map(names.map((name) => [name, new Program<LoadTasks>(loadProgram)]));
  const figures = await inTurn(
    names,
    { rounds, warmUps },
    (name) => loads.get(name)!.ask('round', { name, ports, concurrency, ms }), // there is one for each
  );
  for (const [name, list] of figures) measured.get(name)?.push(...list);
  await Promise.all(Array.from(loads.values(), (load) => load[Symbol.asyncDispose]()));
}

printMachine();
const rows = names.map((name) => {
  const figures = measured.get(name) ?? [];
  const base = measured.get(name.startsWith('fetch') ? baselines.fetch : baselines.request) ?? [];
  const ratios = figures.map(({ perSecond }, round) => perSecond / (base[round]?.perSecond ?? Number.NaN));
  const added = figures.map(({ cpuUs }, round) => cpuUs - (base[round]?.cpuUs ?? Number.NaN));
  return [
    name,
    figure(median(figures.map(({ perSecond }) => perSecond))),
    median(ratios).toFixed(3),
    `${quantile(ratios, 0.25).toFixed(3)} - ${quantile(ratios, 0.75).toFixed(3)}`,
    figure(median(figures.map(({ cpuUs }) => cpuUs))),
    figure(median(added)),
  ];
});
printTable(
  `3 servers, ${concurrency} requests at once: medians of ${generations * rounds} rounds of ${ms / 1_000} s, in turn`,
  ['', 'requests/s', 'of Pools by hand', 'quartiles', 'CPU us/request', 'more than by hand'],
  rows,
);
