/**
 * Plays schedules of faults against every store, until the time is up, and judges each run. Fails when something that
 * always holds did not.
 *   --minutes 30         for how long; default: one run per store
 *   --runs 20            how many runs
 *   --store redis,etcd   which stores; default: all that this machine has
 *   --seed 7             the seed of the first run; the next ones have those after it. Default: by chance
 *   --parallel 4         runs at once
 *   --keep               keeps the histories of runs that were fine, too
 */
import { randomInt } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { onProcessEnd } from '../servers/exit-cleanup.ts';
import { bundlePrograms } from './bundle.ts';
import { explain, summary } from './report.ts';
import { runOnce, type RunResult } from './run.ts';
import { canRun, storeNames, type StoreName } from './stores.ts';
import { table } from './table.ts';

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string' },
    runs: { type: 'string' },
    store: { type: 'string' },
    seed: { type: 'string' },
    parallel: { type: 'string', default: '4' },
    keep: { type: 'boolean', default: false },
  },
});
const chosen = chosenStores(options.store);
const firstSeed = options.seed === undefined ? randomInt(1, 1_000_000) : Number(options.seed);
const until = performance.now() + Number(options.minutes ?? Infinity) * 60_000;
const most = Number(options.runs ?? (options.minutes === undefined ? chosen.length : Infinity));

using bundle = await bundlePrograms();
const forget = onProcessEnd(() => bundle[Symbol.dispose]());
const folder = mkdtempSync(join(tmpdir(), 'sd-chaos-'));
const results: RunResult[] = [];
let failures = 0;
let begun = 0;
await Promise.all(Array.from({ length: Number(options.parallel) }, work));
forget();
console.log(`\n${table(results)}`);
const isFine = failures === 0 && results.every(({ violations }) => violations.length === 0);
if (options.keep) console.log(`\nHistories: ${folder}`);
else if (isFine) rmSync(folder, { recursive: true });
if (!isFine) process.exitCode = 1;

async function work(): Promise<void> {
  while (begun < most && performance.now() < until) {
    const number = begun;
    begun += 1;
    const store = chosen[number % chosen.length] ?? 'redis';
    // Each store has the same seeds.
    const seed = firstSeed + Math.floor(number / chosen.length);
    const result = await runOnce({ store, seed, bundle, folder }).catch((error: unknown) => {
      console.log(
        `${store}  seed ${seed}  the harness failed: ${error instanceof Error ? error.stack : String(error)}`,
      );
      failures += 1;
    });
    if (result === undefined) continue;
    results.push(result);
    console.log(summary(result));
    if (result.violations.length > 0) console.log(explain(result));
    else if (!options.keep) rmSync(result.historyFile);
  }
}

function chosenStores(list: string | undefined): readonly StoreName[] {
  if (list === undefined) return storeNames.filter(canRun);
  return list.split(',').map((name) => {
    const known = storeNames.find((each) => each === name);
    if (known === undefined)
      throw new Error(`--store is "${name}", expected some of ${storeNames.join(', ')}`);
    return known;
  });
}
