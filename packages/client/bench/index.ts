import { hasFlag, isQuick, runParts } from '../../../tools/bench/command-line.ts';
import { withPeers } from '../../../tools/bench/peers.ts';
import { printMachine } from '../../../tools/bench/table.ts';
import { printBars, type Bar } from './bars.ts';
import { brownoutBars, brownoutFaults, measureBrownout } from './brownouts.ts';
import { inRepository, ours, oursByStrategy, peers, type ContestantName } from './contestants.ts';
import { measureOneBad, oneBadBars, oneBadFaults } from './one-bad.ts';
import { measureOverhead, overheadBars } from './overhead.ts';

type Result = { readonly name: ContestantName; readonly bars: readonly Bar[] };

// `--all` adds ours with other strategies.
const names = [
  ...ours,
  ...(hasFlag('all') ? oursByStrategy : []),
  ...inRepository,
  ...(withPeers() ? peers : []),
];

const withBars = <T extends { readonly name: ContestantName }>(
  results: readonly T[],
  barsOf: (result: T) => readonly Bar[],
): Result[] => results.map((result) => ({ ...result, bars: barsOf(result) }));

const parts: Readonly<Record<string, () => Promise<Result[]>>> = {
  ...Object.fromEntries(
    oneBadFaults.map((fault) => [
      fault,
      async () => withBars(await measureOneBad(fault, names, isQuick), oneBadBars),
    ]),
  ),
  ...Object.fromEntries(
    brownoutFaults.map((fault) => [
      fault === '503' ? 'brownout-503' : 'brownout-slow',
      async () => withBars(await measureBrownout(fault, names, isQuick), brownoutBars),
    ]),
  ),
  overhead: async () => withBars(await measureOverhead(names, isQuick), overheadBars),
};

printMachine();
const results: Result[] = [];
await runParts(
  Object.fromEntries(
    Object.entries(parts).map(([name, measure]) => [
      name,
      async () => void results.push(...(await measure())),
    ]),
  ),
);
for (const name of names.filter((name) => name.startsWith('sd'))) {
  const bars = results.filter((result) => result.name === name).flatMap((result) => result.bars);
  const missed = bars.filter(({ ok }) => !ok).length;
  printBars(`${name}: ${bars.length - missed} of ${bars.length} bars hold`, bars);
}
