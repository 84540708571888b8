import { cpus, loadavg } from 'node:os';
import { figure, printTable } from '../../../../tools/bench/table.ts';
import { contestantNames, type ContestantName } from './contestants.ts';
import type { Figures, Round } from './load.program.ts';
import { Program } from './program.ts';

// `--quick` makes it short, to see that it works.
const quick = process.argv.includes('--quick');
const [rounds, ms] = quick ? [6, 200] : [100, 200];
const warmUps = 3;
const callers = 50;

await using servers = new Program<number, number[]>('servers.program.ts');
await using load = new Program<Round, Figures>('load.program.ts');
const ports = await servers.ask(3);
const measured = new Map<ContestantName, Figures[]>(contestantNames.map((name) => [name, []]));
for (let round = -warmUps; round < rounds; round += 1) {
  // The other way round each second time, so that nobody always comes after the same one.
  for (const name of round % 2 === 0 ? contestantNames : contestantNames.toReversed()) {
    const figures = await load.ask({ name, ports, callers, ms });
    if (round >= 0) measured.get(name)?.push(figures);
  }
}

const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}`;
console.log(`Node ${process.version}, ${machine}, load ${(loadavg()[0] ?? 0).toFixed(1)}`);
console.log(`Unary, 3 servers, ${callers} calls at once: medians of ${rounds} rounds of ${ms} ms, in turn\n`);
const peers = measured.get('round_robin') ?? [];
printTable(
  ['', 'calls/s', 'of round_robin', 'quartiles', 'client CPU us/call', 'CPU of round_robin'],
  [...measured].map(([name, list]) => {
    const ofPeer = (read: (figures: Figures) => number): number[] =>
      list.map((figures, round) => read(figures) / read(peers[round] ?? figures));
    const rates = ofPeer(({ perSecond }) => perSecond);
    return [
      name,
      figure(quantile(list.map(({ perSecond }) => perSecond))),
      quantile(rates).toFixed(3),
      `${quantile(rates, 0.25).toFixed(3)} - ${quantile(rates, 0.75).toFixed(3)}`,
      figure(quantile(list.map(({ cpuUs }) => cpuUs))),
      quantile(ofPeer(({ cpuUs }) => cpuUs)).toFixed(3),
    ];
  }),
);

function quantile(values: readonly number[], share = 0.5): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
