import { resetLogger, seededRng, setLogger } from '@sd/core';
import { silentLogger } from '@sd/testkit';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { corpusOf, problemOf } from '../corpus.ts';
import { mutate } from '../mutate.ts';
import { targets } from '../targets.ts';

beforeAll(() => setLogger(silentLogger));
afterAll(() => resetLogger());

describe.each(targets.map((target) => [target.name, target] as const))('%s', (_name, target) => {
  const corpus = corpusOf(target);
  const others = corpus.map(({ input }) => input);

  it('holds for everything that was ever found', async () => {
    for (const { name, input } of corpus) expect(await problemOf(target, input), name).toBeUndefined();
  });

  it('holds for what is a few changes away from that', async () => {
    const seeds = fc.integer({ min: 0, max: 2 ** 31 });
    const changes = fc.integer({ min: 1, max: 6 });
    const near = fc
      .tuple(fc.constantFrom(...others), seeds, changes)
      .map(([input, seed, rounds]) => mutate(target, input, { rng: seededRng(seed), rounds, others }));
    const holds = fc.asyncProperty(near, async (input) => {
      const problem = await problemOf(target, input);
      if (problem !== undefined) throw new Error(`${problem}\n${JSON.stringify(input.toString('latin1'))}`);
    });
    await fc.assert(holds, { seed: 20, numRuns: target.testRuns ?? 300 });
  });
});
