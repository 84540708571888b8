import { describe, expect, it } from 'vitest';
import { priorityLoads, type LevelHealth, type LevelLoad } from '../src/layers/priority.ts';
import { inTurn, instances, poolOf, tally } from './pools.ts';

type Given = Partial<LevelHealth>;

const options = { overprovisioning: 1.4, panicThreshold: 0.5 };

const none: LevelHealth = { total: 100, healthy: 0, degraded: 0, slow: 0, doubtful: 0, unreachable: 0 };

/** Of 100 instances; those that are not named are unhealthy. */
const loadsOf = (...levels: readonly Given[]): readonly LevelLoad[] =>
  priorityLoads(
    levels.map((given) => ({ ...none, ...given })),
    options,
  );

const percent = (loads: readonly LevelLoad[], kind: 'healthy' | 'degraded' = 'healthy'): number[] =>
  loads.map((load) => Math.round(load[kind] * 100));

describe('load of priorities', () => {
  // From Envoy's documentation, "Priority levels".
  it.each([
    [100, 100, [100, 0]],
    [72, 100, [100, 0]],
    [71, 100, [99, 1]],
    [50, 100, [70, 30]],
    [25, 100, [35, 65]],
    [25, 25, [50, 50]],
    [0, 100, [0, 100]],
  ])('of which %i and %i %% are healthy is shared as Envoy does', (first, second, expected) => {
    expect(percent(loadsOf({ healthy: first }, { healthy: second }))).toEqual(expected);
  });

  it.each([
    [
      [100, 100, 100],
      [100, 0, 0],
    ],
    [
      [72, 72, 100],
      [100, 0, 0],
    ],
    [
      [71, 71, 100],
      [99, 1, 0],
    ],
    [
      [50, 60, 100],
      [70, 30, 0],
    ],
    [
      [25, 100, 100],
      [35, 65, 0],
    ],
    [
      [25, 25, 100],
      [35, 35, 30],
    ],
    [
      [25, 25, 20],
      [36, 36, 28],
    ],
  ])('of which %j %% are healthy goes down three priorities as Envoy does', (healthy, expected) => {
    // Envoy's are whole per cents that sum to 100.
    const loads = loadsOf(...healthy.map((count) => ({ healthy: count })));
    loads.forEach((load, place) =>
      expect(Math.abs(load.healthy * 100 - (expected[place] ?? 0))).toBeLessThan(1),
    );
  });

  it('goes to degraded ones of any priority when healthy ones of all cannot bear it', () => {
    const loads = loadsOf({ healthy: 25, degraded: 25 }, { healthy: 15, degraded: 60 });
    expect(percent(loads)).toEqual([35, 21]);
    expect(percent(loads, 'degraded')).toEqual([35, 9]);
  });

  it('asks degraded ones for nothing while the healthy ones of a later priority can bear it', () => {
    const loads = loadsOf({ degraded: 100 }, { healthy: 100 });
    expect([percent(loads), percent(loads, 'degraded')]).toEqual([
      [0, 100],
      [0, 0],
    ]);
  });

  it.each([
    [2, 1, 0],
    [3, 2, 0],
    [10, 7, 0],
    [10, 6, 16],
    [100, 72, 0],
    [100, 50, 30],
    [2, 0, 100],
  ])(
    'of %i, %i of them healthy and the rest slow, goes to the slow ones to %3$i %%',
    (total, healthy, slow) => {
      expect(percent(loadsOf({ total, healthy, slow: total - healthy }), 'degraded')).toEqual([slow]);
    },
  );

  it('goes to slow ones where others have failed, so that the rest cannot bear it', () => {
    const loads = loadsOf({ total: 3, healthy: 1, slow: 1, doubtful: 1 });
    expect([percent(loads), percent(loads, 'degraded')]).toEqual([[50], [50]]);
  });

  it('is nobody’s where nobody is available', () => {
    for (const loads of [loadsOf(), loadsOf({}, {}), loadsOf({ total: 0 })]) {
      expect(loads.every(({ healthy, degraded, panic }) => healthy + degraded === 0 && !panic)).toBe(true);
    }
  });

  it('is the best one’s that has ejected ones, where only such are left', () => {
    const loads = loadsOf({ unreachable: 5 }, { doubtful: 5 }, { doubtful: 5 });
    expect(percent(loads)).toEqual([0, 100, 0]);
    expect(loads.map(({ panic, lastResort }) => [panic, lastResort])).toEqual([
      [false, false],
      [true, false],
      [false, false],
    ]);
  });

  it('is the best one’s that has unreachable ones, where nobody else is left at all', () => {
    const loads = loadsOf({}, { unreachable: 5 }, { unreachable: 5 });
    expect(percent(loads)).toEqual([0, 100, 0]);
    expect(loads.map(({ lastResort }) => lastResort)).toEqual([false, true, false]);
  });

  it('fills a priority up to its healthy share where overprovisioning is 1', () => {
    const level = { ...none, total: 10, healthy: 8 };
    const loads = priorityLoads([level, level], { overprovisioning: 1, panicThreshold: 0.5 });
    expect(loads.map(({ healthy }) => healthy)).toEqual([0.8, expect.closeTo(0.2, 9)]);
  });

  it('sums to 1 whatever is available', () => {
    for (let healthy = 0; healthy <= 100; healthy += 7) {
      for (let degraded = 1; degraded <= 100 - healthy; degraded += 9) {
        const loads = loadsOf({ healthy, degraded }, { healthy: degraded }, { degraded: healthy });
        const total = loads.reduce((sum, load) => sum + load.healthy + load.degraded, 0);
        expect(total).toBeCloseTo(1, 12);
      }
    }
  });
});

describe('panic', () => {
  it.each([
    [49, 51, true],
    [50, 50, false],
  ])('is where fewer than half are available: %i available and %i ejected', (healthy, doubtful, expected) => {
    expect(loadsOf({ healthy, doubtful }).map(({ panic }) => panic)).toEqual([expected]);
  });

  it('is nowhere while all priorities together can bear the load', () => {
    const loads = loadsOf({ healthy: 25, doubtful: 75 }, { healthy: 100 });
    expect(loads.map(({ panic }) => panic)).toEqual([false, false]);
  });

  it('counts degraded ones as available', () => {
    expect(loadsOf({ healthy: 30, degraded: 25, doubtful: 45 })[0]?.panic).toBe(false);
  });

  it('is not for instances that say themselves that they are unhealthy', () => {
    expect(loadsOf({ healthy: 10 })[0]?.panic).toBe(false);
  });
});

describe('a set with priorities', () => {
  it('picks from them as their loads say', () => {
    const pool = poolOf(
      instances(20, (index) => ({
        priority: index < 10 ? 0 : 1,
        status: index < 5 ? 'unhealthy' : 'healthy',
      })),
    );
    const byPriority = tally(
      inTurn(pool, pool.set('round-robin'), 10_000).map((id) => (id < 'i-010' ? 'first' : 'second')),
    );
    expect(Math.abs((byPriority.first ?? 0) - 7_000)).toBeLessThan(200);
  });

  it('sends a key to the same priority each time', () => {
    const pool = poolOf(
      instances(4, (index) => ({
        priority: index < 2 ? 0 : 1,
        status: index === 0 ? 'unhealthy' : 'healthy',
      })),
    );
    const set = pool.set('ring-hash');
    for (let user = 0; user < 50; user += 1) {
      const request = { key: `user-${user}`, tried: [] };
      expect(new Set(inTurn(pool, set, 5, request)).size).toBe(1);
    }
  });

  it('bears more or less of the load as overprovisioning says', () => {
    const half = instances(4, (index) => ({
      priority: index < 2 ? 0 : 1,
      status: index === 0 ? 'unhealthy' : 'healthy',
    }));
    const shares = [1, 1.4, 2].map((overprovisioning) =>
      poolOf(half, { overprovisioning })
        .set('random')
        .explain()
        .groups.map(({ share }) => share),
    );
    expect(shares).toEqual([
      [0.5, 0.5],
      [0.7, expect.closeTo(0.3, 9)],
      [1, 0],
    ]);
  });
});
