/**
 * Looks for inputs that break what must always hold, one target after the other, and keeps those that do.
 *   --minutes N     how long in all; default: 5
 *   --only NAME     this target; may be given more than once
 *   --seed N        of all randomness; default: 1
 *   --keep          also keeps inputs that reach new code
 *   --replay FILE   runs this input alone, with --only
 *   --growth        instead: makes inputs longer, and fails where the time grows faster than they do
 */
import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { parseArgs } from 'node:util';
import { setLogger } from '@sd/core';
import { silentLogger } from '@sd/testkit';
import { campaign } from './campaign.ts';
import { keep, problemOf } from './corpus.ts';
import { Coverage } from './coverage.ts';
import { growthOf } from './growth.ts';
import { targets } from './targets.ts';

const { values: options } = parseArgs({
  options: {
    minutes: { type: 'string', default: '5' },
    only: { type: 'string', multiple: true },
    seed: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
    replay: { type: 'string' },
    growth: { type: 'boolean', default: false },
  },
});
setLogger(silentLogger);
const unknown = options.only?.filter((name) => !targets.some((target) => target.name === name)) ?? [];
if (unknown.length > 0)
  throw new Error(`No target ${unknown.join(', ')}; there are ${targets.map(({ name }) => name).join(', ')}`);
const chosen = targets.filter(({ name }) => options.only?.includes(name) ?? true);
// What nobody awaits would end a process of a user.
process.on('unhandledRejection', (reason) => {
  console.error('A promise was rejected that nobody awaits:', reason);
  process.exitCode = 1;
});

if (options.growth) await measureGrowth();
else if (options.replay === undefined) await search();
else for (const target of chosen) await replay(target.name, options.replay);

async function search(): Promise<void> {
  const coverage = new Coverage();
  const forMs = (Number(options.minutes) * 60_000) / chosen.length;
  for (const target of chosen) {
    const { runs, inputs, newCode, found } = await campaign({
      target,
      coverage,
      seed: Number(options.seed),
      forMs,
      onFound(input, problem) {
        const path = relative('.', keep(target, 'found', input));
        console.log(
          `\n${target.name}: ${problem}\n  npm run fuzz -- --only ${target.name} --replay ${path}\n`,
        );
        process.exitCode = 1;
      },
      onReached(input) {
        if (options.keep) keep(target, 'reached', input);
      },
    });
    const figures = [
      `${runs} runs`,
      `${inputs} inputs`,
      `${newCode} characters of new code`,
      `${found} problems`,
    ];
    console.log(`${target.name}: ${figures.join(', ')}`);
  }
  coverage.close();
}

async function measureGrowth(): Promise<void> {
  for (const target of chosen.filter(({ mostMs }) => mostMs === undefined)) {
    const { tried, steep } = await growthOf(target);
    console.log(`${target.name}: ${tried} inputs made longer, ${steep.length} take more than their share`);
    for (const { what, ms, excess } of steep)
      console.log(`  ${what}: ${ms.toFixed(0)} ms, ${excess.toFixed(1)} x linear`);
    if (steep.length > 0) process.exitCode = 1;
  }
}

async function replay(name: string, path: string): Promise<void> {
  const target = targets.find((each) => each.name === name);
  const problem = target && (await problemOf(target, readFileSync(path)));
  console.log(`${name}: ${problem ?? 'nothing is wrong with it'}`);
  if (problem !== undefined) process.exitCode = 1;
}
