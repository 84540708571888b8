import { ManualClock } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { LoadBalancerFactory, type EndpointPool, type SlowStartOptions } from '../src/index.ts';
import { inTurn, instance, instances, pick, poolOf, tally } from './pools.ts';

const startMs = 1_000_000;

/** Endpoints that are warm, and one that joins them now. */
function poolWithNew(slowStart: SlowStartOptions, warm = 3): { clock: ManualClock; pool: EndpointPool } {
  const clock = new ManualClock(startMs);
  const pool = poolOf(instances(warm), { clock, slowStart });
  pool.update([...instances(warm), instance('new')]);
  return { clock, pool };
}

const warmthOf = (pool: EndpointPool, id = 'new'): number | undefined =>
  pool.endpoints.find((endpoint) => endpoint.id === id)?.warmth;

describe('a new endpoint', () => {
  it('warms up evenly over the window, from a tenth on', async () => {
    const { clock, pool } = poolWithNew({ windowMs: 10_000 });
    const seen = [warmthOf(pool)];
    for (let step = 0; step < 4; step += 1) {
      await clock.advance(2_500);
      seen.push(warmthOf(pool));
    }
    expect(seen).toEqual([0.1, 0.25, 0.5, 0.75, 1]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('has at least the minimum', async () => {
    const { clock, pool } = poolWithNew({ windowMs: 10_000, minimum: 0.4 });
    expect(warmthOf(pool)).toBe(0.4);
    await clock.advance(5_000);
    expect(warmthOf(pool)).toBe(0.5);
  });

  it('warms up faster at first where it is aggressive', async () => {
    const { clock, pool } = poolWithNew({ windowMs: 10_000, aggression: 2 });
    await clock.advance(2_500);
    expect(warmthOf(pool)).toBeCloseTo(0.5, 9);
  });

  it('warms up with its answers too', async () => {
    const { clock, pool } = poolWithNew({ windowMs: 1_000, requests: 10 }, 0);
    const set = pool.set('random');
    await clock.advance(1_000);
    expect(warmthOf(pool)).toBe(0.1);
    inTurn(pool, set, 5);
    for (const outcome of ['error', 'timeout', 'cancelled', 'overload'] as const) {
      pool.finish(pick(set), outcome, 1);
    }
    await clock.advance(1_000);
    expect(warmthOf(pool)).toBe(0.5);
    inTurn(pool, set, 5);
    await clock.advance(1_000);
    expect(warmthOf(pool)).toBe(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('is warm at once without slow start', () => {
    const pool = poolOf(instances(1));
    pool.update(instances(2));
    expect(pool.endpoints.map(({ warmth }) => warmth)).toEqual([1, 1]);
  });

  it('goes on warming up when its record changes, and starts anew when its process does', async () => {
    const { clock, pool } = poolWithNew({ windowMs: 10_000 }, 0);
    await clock.advance(5_000);
    pool.update([instance('new', { weight: 3 })]);
    expect(warmthOf(pool)).toBe(0.5);
    pool.update([instance('new', { registeredAt: 2 })]);
    expect(warmthOf(pool)).toBe(0.1);
    pool.close();
  });
});

describe('the endpoints of the first snapshot', () => {
  const clock = new ManualClock(startMs);
  const aged = (id: string, ageMs: number) => instance(id, { registeredAt: startMs - ageMs });

  it('are as old as they say', () => {
    const snapshot = [
      aged('old', 20_000),
      aged('newer', 5_000),
      aged('newest', 0),
      aged('from-tomorrow', -9_999),
    ];
    const pool = poolOf(snapshot, { clock, slowStart: { windowMs: 10_000 } });
    expect(pool.endpoints.map(({ warmth }) => warmth)).toEqual([1, 0.5, 0.1, 0.1]);
    pool.close();
  });

  it('are as old as they say, also where an id is in it twice', () => {
    const snapshot = [aged('old', 20_000), aged('old', 20_000)];
    const pool = poolOf(snapshot, { clock, slowStart: { windowMs: 10_000 } });
    pool.close();
    expect(warmthOf(pool, 'old')).toBe(1);
  });
});

describe('a closed pool', () => {
  it('has no timer left', () => {
    const { clock, pool } = poolWithNew({ windowMs: 10_000 });
    expect(clock.pendingTimers).toBe(1);
    pool.close();
    expect(clock.pendingTimers).toBe(0);
  });

  it('sets no timer for an endpoint that comes later', () => {
    const clock = new ManualClock(startMs);
    const pool = poolOf([], { clock, slowStart: { windowMs: 10_000 } });
    pool.close();
    pool.update(instances(1));
    expect(clock.pendingTimers).toBe(0);
  });
});

describe.each(new LoadBalancerFactory().names)('with %s, a new endpoint', (strategy) => {
  /** Shares of calls that come one at a time, each with a key of its own. */
  const shareOfNew = (pool: EndpointPool): number => {
    const set = pool.set(strategy);
    const picked = Array.from({ length: 4_000 }, (_, user) => {
      const endpoint = pick(set, { key: `user-${user}`, tried: [] });
      pool.finish(endpoint, 'ok', 10);
      return endpoint.id;
    });
    return (tally(picked).new ?? 0) / picked.length;
  };

  it('has less than half of its share at first, and all of it in the end', async () => {
    const { clock, pool } = poolWithNew({ windowMs: 10_000 });
    expect(shareOfNew(pool)).toBeLessThan(0.5 * 0.25);
    await clock.advance(10_000);
    // `sticky` forgets no key that has its endpoint: another pool, as these have all been seen.
    const share = shareOfNew(strategy === 'sticky' ? poolOf([...instances(3), instance('new')]) : pool);
    expect(Math.abs(share - 0.25)).toBeLessThan(0.04);
  });
});
