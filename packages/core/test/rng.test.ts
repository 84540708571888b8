import { describe, expect, it } from 'vitest';
import { seededRng, systemRng, type Rng } from '../src/index.ts';

const draw = (rng: Rng, count: number) => Array.from({ length: count }, rng);

describe('seededRng()', () => {
  it('gives the same numbers for the same seed, in every version', () => {
    expect(draw(seededRng(1), 3)).toEqual([0.6270739405881613, 0.002735721180215478, 0.5274470399599522]);
  });

  it.each([0, -1, 2, 2 ** 31])('gives other numbers for a seed of %d', (seed) => {
    expect(draw(seededRng(seed), 3)).not.toEqual(draw(seededRng(1), 3));
    expect(draw(seededRng(seed), 3)).toEqual(draw(seededRng(seed), 3));
  });

  it('keeps generators apart', () => {
    const [left, right] = [seededRng(1), seededRng(1)];
    draw(left, 10);
    expect(right()).toBe(seededRng(1)());
  });
});

describe('numbers', () => {
  it.each([
    ['seededRng', seededRng(5)],
    ['systemRng', systemRng],
  ])('of %s are from 0 to below 1', (_name, rng) => {
    expect(draw(rng, 10_000).every((number) => number >= 0 && number < 1)).toBe(true);
  });

  it('of seededRng are even: chi-squared over 20 bins is below its value for p = 0.001', () => {
    const counts = new Array<number>(20).fill(0);
    for (const number of draw(seededRng(5), 100_000)) counts[Math.floor(number * 20)]! += 1;
    const chiSquared = counts.reduce((sum, count) => sum + (count - 5_000) ** 2 / 5_000, 0);
    expect(chiSquared).toBeLessThan(43.8);
  });
});
