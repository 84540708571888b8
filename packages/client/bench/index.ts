import { cpus, loadavg } from 'node:os';
import { printBars, type Bar } from './bars.ts';
import { brownoutBars, brownoutFaults, measureBrownout } from './brownouts.ts';
import { inRepository, ours, oursByStrategy, peers, type ContestantName } from './contestants.ts';
import { measureOneBad, oneBadBars, oneBadFaults } from './one-bad.ts';
import { measureOverhead, overheadBars } from './overhead.ts';
import { peersInstalled } from './peers.ts';

type Result = { readonly name: ContestantName; readonly bars: readonly Bar[] };

// `--quick` makes all short, to see that it works; `--only dead,overhead` runs these parts; `--all` adds ours with
// other strategies; `--json` prints the figures once more, for a machine.
const args = process.argv.slice(2);
const has = (flag: string): boolean => args.includes(flag);
const only = has('--only') ? args[args.indexOf('--only') + 1]?.split(',') : undefined;
const quick = has('--quick');
const withPeers = !has('--no-peers') && peersInstalled();
const names = [
  ...ours,
  ...(has('--all') ? oursByStrategy : []),
  ...inRepository,
  ...(withPeers ? peers : []),
];

const withBars = <T extends { readonly name: ContestantName }>(
  results: readonly T[],
  barsOf: (result: T) => readonly Bar[],
): Result[] => results.map((result) => ({ ...result, bars: barsOf(result) }));

const parts: readonly { readonly part: string; readonly measure: () => Promise<Result[]> }[] = [
  ...oneBadFaults.map((fault) => ({
    part: fault,
    measure: async () => withBars(await measureOneBad(fault, names, quick), oneBadBars),
  })),
  ...brownoutFaults.map((fault) => ({
    part: fault === '503' ? 'brownout-503' : 'brownout-slow',
    measure: async () => withBars(await measureBrownout(fault, names), brownoutBars),
  })),
  { part: 'overhead', measure: async () => withBars(await measureOverhead(names, quick), overheadBars) },
];

const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}`;
console.log(
  `Node ${process.version}, ${machine}, busy with ${(loadavg()[0] ?? 0).toFixed(1)} other processes`,
);
if (!withPeers) console.log('Peers: not installed.');
const results: Result[] = [];
for (const { part, measure } of parts) {
  if (only === undefined || only.includes(part)) results.push(...(await measure()));
}
for (const name of names.filter((name) => name.startsWith('sd'))) {
  const bars = results.filter((result) => result.name === name).flatMap((result) => result.bars);
  const missed = bars.filter(({ ok }) => !ok).length;
  printBars(`${name}: ${bars.length - missed} of ${bars.length} bars hold`, bars);
}
if (has('--json')) console.log(`\n${JSON.stringify(results)}`);
