import { hasFlag, isQuick } from '../../../../tools/bench/command-line.ts';
import { Program } from '../../../../tools/bench/program.ts';
import { median, quantile } from '../../../../tools/bench/statistics.ts';
import { figure, printMachine, printTable } from '../../../../tools/bench/table.ts';
import { inTurn } from '../../../../tools/bench/turns.ts';
import { contestantNames } from './contestants.ts';
import type { Figures, LoadTasks } from './load.program.ts';
import type { ServersTasks } from './servers.program.ts';

const [rounds, ms] = isQuick ? [6, 200] : [100, 200];
const callers = 50;

await using servers = new Program<ServersTasks>(new URL('servers.program.ts', import.meta.url));
await using load = new Program<LoadTasks>(new URL('load.program.ts', import.meta.url));
const ports = await servers.ask('start', { count: 3 });
const names = contestantNames.filter((name) => name.startsWith('sd') || !hasFlag('no-peers'));
const measured = await inTurn(names, { rounds, warmUps: 3 }, (name) =>
  load.ask('round', { name, ports, callers, ms }),
);

printMachine();
const peers = measured.get('round_robin') ?? [];
printTable(
  `Unary, 3 servers, ${callers} calls at once: medians of ${rounds} rounds of ${ms} ms, in turn`,
  ['', 'calls/s', 'of round_robin', 'quartiles', 'client CPU us/call', 'CPU of round_robin'],
  [...measured].map(([name, list]) => {
    const ofPeer = (read: (figures: Figures) => number): number[] =>
      list.map((figures, round) => read(figures) / read(peers[round] ?? figures));
    const rates = ofPeer(({ perSecond }) => perSecond);
    return [
      name,
      figure(median(list.map(({ perSecond }) => perSecond))),
      median(rates).toFixed(3),
      `${quantile(rates, 0.25).toFixed(3)} - ${quantile(rates, 0.75).toFixed(3)}`,
      figure(median(list.map(({ cpuUs }) => cpuUs))),
      median(ofPeer(({ cpuUs }) => cpuUs)).toFixed(3),
    ];
  }),
);
