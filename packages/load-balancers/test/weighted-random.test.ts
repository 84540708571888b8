import { seededRng } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { inTurn, instances, poolOf, tally, weighted } from './pools.ts';

describe('weighted-random', () => {
  it.each([
    ['equal', [1, 1, 1, 1]],
    ['small', [1, 2, 3, 4]],
    ['of several powers of two', [1, 3, 10, 60, 500]],
    ['fractional', [0.001, 0.002, 0.0005]],
    ['just around a power of two', [1, 1.0001, 0.9999, 2.0001]],
  ])('gives shares as exact as chance is, with weights that are %s', (_what, weights) => {
    const pool = poolOf(weighted(...weights));
    const calls = 40_000;
    const counts = tally(inTurn(pool, pool.set('weighted-random'), calls));
    const total = weights.reduce((sum, weight) => sum + weight);
    weights.forEach((weight, place) => {
      const share = weight / total;
      const id = String.fromCharCode(97 + place);
      expect(Math.abs((counts[id] ?? 0) - calls * share), id).toBeLessThan(
        4.5 * Math.sqrt(calls * share * (1 - share)),
      );
    });
  });

  it('has no pattern: what comes next does not depend on what came', () => {
    const pool = poolOf(weighted(1, 1));
    const picked = inTurn(pool, pool.set('weighted-random'), 20_000);
    const pairs = tally(picked.slice(1).map((id, place) => `${picked[place] ?? ''}${id}`));
    for (const pair of ['aa', 'ab', 'ba', 'bb'])
      expect(Math.abs((pairs[pair] ?? 0) - 5_000)).toBeLessThan(300);
  });

  it('can be replayed', () => {
    const picked = [1, 1, 2].map((seed) => {
      const pool = poolOf(instances(9), { rng: seededRng(seed) });
      return inTurn(pool, pool.set('weighted-random'), 50).join();
    });
    expect(picked[0]).toBe(picked[1]);
    expect(picked[0]).not.toBe(picked[2]);
  });
});
