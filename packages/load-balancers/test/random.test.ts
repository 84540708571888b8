import { seededRng } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { Random } from '../src/index.ts';
import { filled, inTurn, instances, poolOf, tally, weighted } from './pools.ts';

/** Pearson's chi-squared against equal shares. */
function chiSquared(picked: readonly string[], among: number): number {
  const expected = picked.length / among;
  const counts = Object.values(tally(picked));
  const missing = (among - counts.length) * expected;
  return missing + counts.reduce((sum, count) => sum + (count - expected) ** 2 / expected, 0);
}

describe('random', () => {
  it('gives every endpoint the same chance, whatever its weight', () => {
    const pool = poolOf(
      instances(20, (index) => ({ weight: index + 1 })),
      { rng: seededRng(7) },
    );
    // 99.9 % of fair draws stay below 43.8 at 19 degrees of freedom.
    expect(chiSquared(inTurn(pool, pool.set('random'), 20_000), 20)).toBeLessThan(43.8);
  });

  it('gives the untried ones the same chance, not the neighbour of a tried one two', () => {
    const pool = poolOf(instances(4));
    const strategy = filled(new Random({ rng: seededRng(3) }), pool);
    const request = { key: undefined, tried: pool.endpoints.slice(0, 1) };
    const picked = Array.from({ length: 9_000 }, () => strategy.pick(request)?.id ?? 'none');
    // 99.9 % at 2 degrees of freedom.
    expect(chiSquared(picked, 3)).toBeLessThan(13.8);
  });

  it('finds the one untried among many', () => {
    const pool = poolOf(weighted(...new Array<number>(26).fill(1)));
    const strategy = filled(new Random({ rng: seededRng(3) }), pool);
    const request = { key: undefined, tried: pool.endpoints.slice(0, 25) };
    expect(Array.from({ length: 50 }, () => strategy.pick(request)?.id).every((id) => id === 'z')).toBe(true);
  });
});
