import { ManualClock, seededRng } from '@sd/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Draws } from '../src/draws.ts';
import { WeightClasses } from '../src/strategies/weight-classes.ts';
import { WeightedDraw } from '../src/strategies/weighted-draw.ts';
import { inTurn, instance, instances, poolOf, tally } from './pools.ts';

const anyWeight = fc.constantFrom(1, 1, 2, 3, 7, 50, 0.3, 0.01);

/** One event: an endpoint gets another weight, is ejected or restored, and a few calls go by. */
const anyEvent = fc.record({
  whom: fc.nat(7),
  weight: anyWeight,
  does: fc.constantFrom('reweigh', 'eject', 'restore'),
});

const anyHistory = fc.record({
  weights: fc.array(anyWeight, { minLength: 2, maxLength: 8, size: 'max' }),
  events: fc.array(anyEvent, { maxLength: 25, size: 'max' }),
});

describe.each([
  'weighted-random',
  'weighted-round-robin',
  'least-request',
  'least-connections',
  'peak-ewma',
  'zone-aware',
])('after any sequence of ejections, returns and other weights, %s', (strategy) => {
  it('gives each endpoint its share', () => {
    const property = fc.property(anyHistory, fc.nat(1_000), ({ weights, events }, seed) => {
      const now: number[] = [...weights];
      const snapshot = () => now.map((weight, place) => instance(`i-${place}`, { weight }));
      // No panic, so that those that are ejected get nothing.
      // No time passes either, so that all have the same latency.
      const pool = poolOf(snapshot(), {
        rng: seededRng(seed),
        clock: new ManualClock(),
        panicThreshold: 0,
      });
      const set = pool.set(strategy);
      for (const { whom, weight, does } of events) {
        const endpoint = pool.endpoints[whom % now.length];
        if (endpoint === undefined) continue;
        if (does === 'eject') pool.eject(endpoint, 1_000);
        if (does === 'restore') pool.restore(endpoint);
        if (does === 'reweigh') now[whom % now.length] = weight;
        pool.update(snapshot());
        inTurn(pool, set, 5);
      }
      const calls = 4_000;
      const counts = tally(inTurn(pool, set, calls));
      const isOut = pool.endpoints.map(({ ejected }) => ejected);
      const all = isOut.every((out) => out);
      const bears = now.map((weight, place) => (all || isOut[place] === false ? weight : 0));
      const total = bears.reduce((sum, weight) => sum + weight);
      pool.close();
      bears.forEach((weight, place) => {
        const share = weight / total;
        const most = 5 * Math.sqrt(calls * share * (1 - share)) + 5;
        expect(Math.abs((counts[`i-${place}`] ?? 0) - calls * share), `i-${place}`).toBeLessThan(most);
      });
    });
    fc.assert(property, { seed: 1_848, numRuns: 15 });
  });
});

describe('WeightClasses', () => {
  const endpoints = poolOf(instances(300)).endpoints;

  function classesOf(weightOf: (place: number) => number): WeightClasses {
    const classes = new WeightClasses(() => 0);
    endpoints.forEach((endpoint, place) => classes.set(endpoint, weightOf(place)));
    return classes;
  }

  it('are by powers of two, the heaviest first', () => {
    const classes = classesOf((place) => [1, 2, 3, 4, 5][place % 5] ?? 1);
    expect(classes.list.map(({ lightest, heaviest, sum }) => [lightest, heaviest, sum])).toEqual([
      [5, 5, 300],
      [3, 4, 420],
      [2, 2, 120],
      [1, 1, 60],
    ]);
    expect(classes.total).toBe(900);
  });

  it('have weights within a factor of two of each other', () => {
    const rng = seededRng(6);
    for (const { heaviest, lightest } of classesOf(() => 10_000 * rng() ** 8 + 1e-9).list) {
      expect(heaviest / lightest).toBeLessThanOrEqual(2);
    }
  });

  it('have sums and shares that are right after any changes', () => {
    const rng = seededRng(8);
    const classes = new WeightClasses(() => 0);
    const weights = new Map<number, number>();
    for (let step = 0; step < 20_000; step += 1) {
      const endpoint = endpoints[Math.floor(rng() * 300)];
      if (endpoint === undefined) continue;
      const weight = 10_000 * rng() ** 6 + 0.001;
      if (rng() < 0.4) {
        classes.remove(endpoint);
        weights.delete(endpoint.slot);
      } else {
        classes.set(endpoint, weight);
        weights.set(endpoint.slot, weight);
      }
    }
    const total = [...weights.values()].reduce((sum, weight) => sum + weight);
    expect(classes.total / total).toBeCloseTo(1, 9);
    expect(classes.list.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 9);
    expect(classes.list.reduce((size, { rotation }) => size + rotation.size, 0)).toBe(weights.size);
  });

  it('are empty when all have left, exactly', () => {
    const classes = classesOf((place) => 0.1 * (place + 1));
    for (const endpoint of endpoints) classes.remove(endpoint);
    expect([classes.list, classes.total]).toEqual([[], 0]);
  });

  it('let one be drawn whose weight is a ten-millionth of the whole', () => {
    const classes = classesOf((place) => (place === 0 ? 0.001 : 30));
    const draw = new WeightedDraw(classes, new Draws(seededRng(1)));
    expect(draw.untried(endpoints.slice(1))).toBe(endpoints[0]);
  });
});
