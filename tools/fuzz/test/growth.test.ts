import { describe, expect, it } from 'vitest';
import { growthOf } from '../growth.ts';
import type { FuzzTarget } from '../target.ts';

/** Whose runs take as long as `msOf` says, by a clock of their own. */
const growthWhere = (msOf: (text: string) => number) => {
  let now = 0;
  const target: FuzzTarget = {
    name: 'planted',
    format: 'json',
    seeds: ['{"a":["b",1]}'],
    run(input) {
      now += msOf(input.toString());
    },
  };
  return growthOf(target, () => now);
};

describe('growth', () => {
  it('is not steep where time is in proportion to length', async () => {
    const { tried, steep } = await growthWhere(({ length }) => length / 100);
    expect(tried).toBeGreaterThan(15);
    expect(steep).toEqual([]);
  });

  it('is steep where time grows with the square of length', async () => {
    const { tried, steep } = await growthWhere(({ length }) => (length / 1_000) ** 2);
    expect(steep).toHaveLength(tried);
    expect(steep[0]?.excess).toBeGreaterThan(7);
  });

  it('is found where only one way to make it longer is steep', async () => {
    const longest = (text: string): number =>
      Math.max(...[...text.matchAll(/b+/g)].map(([run]) => run.length), 1);
    const { steep } = await growthWhere((text) => (longest(text) / 1_000) ** 2);
    expect(steep.map(({ what }) => what)).toContain('seed 0, value 0');
  });

  it('of what takes next to no time is not looked at', async () => {
    const { steep } = await growthWhere(({ length }) => (length / 100_000) ** 2);
    expect(steep).toEqual([]);
  });
});
