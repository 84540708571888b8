import { seededRng } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { inTurn, instances, poolOf, tally, weighted } from './pools.ts';

describe('weighted-round-robin', () => {
  it('gives weights 5, 1, 1 exactly 5, 1, 1 of every 7 picks, never 5 in a row', () => {
    const pool = poolOf(weighted(5, 1, 1));
    const picked = inTurn(pool, pool.set('weighted-round-robin'), 700);
    for (let start = 0; start + 7 <= picked.length; start += 1) {
      expect(tally(picked.slice(start, start + 7))).toEqual({ a: 5, b: 1, c: 1 });
    }
    expect(picked.join('')).not.toContain('aaaa');
  });

  it('is a round robin where weights are equal', () => {
    const pool = poolOf(weighted(3, 3, 3), { rng: () => 0 });
    expect(inTurn(pool, pool.set('weighted-round-robin'), 7).join('')).toBe('abcabca');
  });

  it('starts anywhere', () => {
    const starts = Array.from({ length: 100 }, (_, seed) => {
      const pool = poolOf(instances(5), { rng: seededRng(seed) });
      return inTurn(pool, pool.set('weighted-round-robin'), 1).join();
    });
    expect(new Set(starts).size).toBe(5);
  });

  it.each([
    [[1, 2, 3, 4, 5]],
    [[0.1, 0.25, 0.7, 0.95]],
    [[1.5, 2.25, 3.75, 9.999]],
    [[10_000, 1_000, 100, 10]],
    [[10_000, 9_999, 5_001, 4_999, 2_500]],
    [[0.000_01, 0.000_02, 0.000_03]],
    [[7, 7, 7, 7, 7, 1]],
  ])('keeps shares within a hundredth over 100,000 picks of weights %j', (weights) => {
    const pool = poolOf(weighted(...weights));
    const counts = tally(inTurn(pool, pool.set('weighted-round-robin'), 100_000));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    weighted(...weights).forEach(({ id, weight }) => {
      const fair = (weight / total) * 100_000;
      expect(Math.abs((counts[id] ?? 0) - fair), id).toBeLessThanOrEqual(Math.max(2, fair * 0.01));
    });
  });

  it('keeps shares of 200 endpoints of random weights within 1 %', () => {
    const rng = seededRng(11);
    const all = instances(200, () => ({ weight: 0.5 + 20 * rng() }));
    const pool = poolOf(all);
    const counts = tally(inTurn(pool, pool.set('weighted-round-robin'), 100_000));
    const total = all.reduce((sum, { weight }) => sum + weight, 0);
    for (const { id, weight } of all) {
      const fair = (weight / total) * 100_000;
      expect(Math.abs((counts[id] ?? 0) - fair), id).toBeLessThanOrEqual(Math.max(2, fair * 0.01));
    }
  });

  it('treats all alike when all weights are 0', () => {
    const pool = poolOf(weighted(0, 0, 0));
    expect(tally(inTurn(pool, pool.set('weighted-round-robin'), 300))).toEqual({ a: 100, b: 100, c: 100 });
  });

  it.each([[[10, 7, 3, 1]], [[15, 10, 8]]])(
    'keeps proportions of weights %j also while the set changes with every pick',
    (weights) => {
      const all = weighted(...weights);
      const pool = poolOf(all);
      const set = pool.set('weighted-round-robin');
      const total = weights.reduce((sum, weight) => sum + weight, 0);
      const picked = Array.from({ length: 100 * total }, () => {
        pool.update([...all]);
        return inTurn(pool, set, 1).join();
      });
      const counts = tally(picked);
      for (const { id, weight } of all) {
        expect(Math.abs((counts[id] ?? 0) - 100 * weight), id).toBeLessThanOrEqual(2);
      }
    },
  );

  it('is fair at once to those who stay when a much heavier one leaves', () => {
    const pool = poolOf(weighted(10_000, 4, 1));
    const set = pool.set('weighted-round-robin');
    inTurn(pool, set, 4_999); // the light ones are far behind by now
    pool.update(weighted(10_000, 4, 1).slice(1));
    const counts = tally(inTurn(pool, set, 50));
    expect(Math.abs((counts.b ?? 0) - 40)).toBeLessThanOrEqual(2);
    expect(Math.abs((counts.c ?? 0) - 10)).toBeLessThanOrEqual(2);
  });

  it('begins with everybody by weight, also where requests that meet one of two go to the other as well', () => {
    const pool = poolOf(weighted(1, 1));
    const set = pool.set('weighted-round-robin');
    const firsts = Array.from({ length: 100 }, () => {
      const [first] = inTurn(pool, set, 1);
      const tried = pool.endpoints.filter(({ id }) => id === first);
      if (first === 'a') expect(inTurn(pool, set, 1, { key: undefined, tried })).toEqual(['b']);
      return first ?? '';
    });
    expect(tally(firsts)).toEqual({ a: 50, b: 50 });
  });

  it('spreads retries over the light ones when the heavy one was tried', () => {
    const pool = poolOf(weighted(10_000, 1, 1, 1, 1));
    const set = pool.set('weighted-round-robin');
    const [a] = pool.endpoints;
    const request = { key: undefined, tried: a === undefined ? [] : [a] };
    const counts = tally(inTurn(pool, set, 400, request));
    expect(Object.keys(counts)).toHaveLength(4);
    expect(Math.min(...Object.values(counts))).toBeGreaterThan(90);
  });
});
