import { describe, expect, it } from 'vitest';
import { Backoff, seededRng } from '../src/index.ts';

/** The bounds of the first delays: the longest random number gives them. */
const boundsOf = (backoff: Backoff, count: number) => Array.from({ length: count }, () => backoff.next());

describe('Backoff', () => {
  it('doubles the bound of the delay with each failure, up to the cap', () => {
    const backoff = new Backoff({ baseMs: 100, capMs: 1_500, rng: () => 1 });
    expect(boundsOf(backoff, 7)).toEqual([100, 200, 400, 800, 1_500, 1_500, 1_500]);
  });

  it('spreads delays evenly over all of the bound: full jitter', () => {
    const rng = seededRng(3);
    const delays = Array.from({ length: 10_000 }, () => {
      const backoff = new Backoff({ baseMs: 100, capMs: 10_000, rng });
      for (let n = 0; n < 3; n += 1) backoff.next();
      return backoff.next();
    });
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...delays)).toBeLessThan(800);
    for (const share of [0.1, 0.25, 0.5, 0.9]) {
      const below = delays.filter((delay) => delay < share * 800).length / delays.length;
      expect(below).toBeCloseTo(share, 1);
    }
    expect(delays.reduce((sum, delay) => sum + delay) / delays.length).toBeCloseTo(400, -1);
  });

  it('starts over after reset()', () => {
    const backoff = new Backoff({ baseMs: 100, capMs: 1_000, rng: () => 1 });
    boundsOf(backoff, 5);
    backoff.reset();
    expect(boundsOf(backoff, 2)).toEqual([100, 200]);
  });

  it('is never beyond a cap that is below the base', () => {
    expect(boundsOf(new Backoff({ baseMs: 100, capMs: 50, rng: () => 1 }), 3)).toEqual([50, 50, 50]);
  });

  it('stays at its cap for ever', () => {
    const backoff = new Backoff({ baseMs: 1, capMs: 15_000, rng: () => 1 });
    expect(boundsOf(backoff, 5_000).at(-1)).toBe(15_000);
  });

  it('needs no random numbers to be given', () => {
    const delay = new Backoff({ baseMs: 100, capMs: 100 }).next();
    expect(delay).toBeGreaterThanOrEqual(0);
    expect(delay).toBeLessThan(100);
  });
});
