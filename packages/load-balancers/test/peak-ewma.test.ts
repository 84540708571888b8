import { ManualClock, type ServiceInstance } from '@sd/core';
import { describe, expect, it } from 'vitest';
import type { Outcome } from '../src/index.ts';
import { atOnce, inTurn, instances, pick, poolOf, tally, weighted } from './pools.ts';

/** What comes of a call, by endpoint. */
type Behaviour = (id: string) => readonly [outcome: Outcome, latencyMs: number];

const good = ['ok', 10] as const;

function setUp(snapshot: readonly ServiceInstance[] = instances(4)) {
  const clock = new ManualClock();
  const pool = poolOf(snapshot, { clock });
  const set = pool.set('peak-ewma');
  /** Calls at intervals of 10 ms, each of which ends before the next: how many each endpoint got. */
  const calls = async (count: number, behaviour: Behaviour): Promise<Record<string, number>> => {
    const picked: string[] = [];
    for (let call = 0; call < count; call += 1) {
      await clock.advance(10);
      const endpoint = pick(set);
      picked.push(endpoint.id);
      pool.finish(endpoint, ...behaviour(endpoint.id));
    }
    return tally(picked);
  };
  return { clock, pool, set, calls };
}

const except = (which: string, what: readonly [Outcome, number]): Behaviour => {
  return (id) => (id === which ? what : good);
};

describe('peak-ewma', () => {
  it('shares alike among endpoints that answer alike', async () => {
    const { calls } = setUp();
    for (const count of Object.values(await calls(400, () => good)))
      expect(Math.abs(count - 100)).toBeLessThan(45);
  });

  it.each<[string, readonly [Outcome, number]]>([
    ['is slow', ['ok', 500]],
    ['fails fast', ['error', 1]],
    ['refuses fast', ['connect-failure', 1]],
    ['is overloaded and says so at once', ['overload', 1]],
  ])('avoids an endpoint that %s', async (_what, bad) => {
    const { calls } = setUp();
    expect((await calls(300, except('i-000', bad)))['i-000'] ?? 0).toBeLessThan(6);
  });

  it('avoids an endpoint that hangs, before its first timeout', async () => {
    const { clock, pool, set } = setUp();
    const picked: string[] = [];
    for (let call = 0; call < 300; call += 1) {
      await clock.advance(10);
      const endpoint = pick(set);
      picked.push(endpoint.id);
      if (endpoint.id !== 'i-000') pool.finish(endpoint, ...good);
    }
    expect(tally(picked)['i-000'] ?? 0).toBeLessThan(6);
  });

  it('returns to an endpoint that has recovered', async () => {
    const { calls, clock, pool, set } = setUp();
    await calls(100, except('i-000', ['ok', 500]));
    const shareOfFirst = (): number => {
      const underWay = Array.from({ length: 80 }, () => pick(set));
      const share = underWay.filter(({ id }) => id === 'i-000').length / 80;
      for (const endpoint of underWay) pool.finish(endpoint, 'cancelled', 0);
      return share;
    };
    expect(shareOfFirst()).toBeLessThan(0.03);
    await clock.advance(60_000);
    await calls(200, () => good);
    expect(shareOfFirst()).toBeGreaterThan(0.12);
  });

  it('picks an endpoint all the same when all are bad', async () => {
    const { calls } = setUp();
    expect(Object.keys(await calls(200, () => ['error', 1]))).toHaveLength(4);
  });

  it('spreads 50 concurrent calls', () => {
    const counts = Object.values(tally(atOnce(setUp(instances(5)).set, 50)));
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(4);
  });

  it('has in flight in proportion to weights', () => {
    const counts = tally(atOnce(setUp(weighted(1, 3)).set, 400));
    expect(Math.abs((counts.a ?? 0) - 100)).toBeLessThan(15);
  });

  it('does not judge an endpoint by what happened in its slot before', async () => {
    const { calls, pool, set } = setUp(instances(2));
    await calls(50, except('i-000', ['error', 1]));
    pool.update(instances(3).slice(1));
    expect(inTurn(pool, set, 50)).toContain('i-002');
  });

  it('does not take attempts that began before it was used for ones that hang', async () => {
    const clock = new ManualClock();
    const pool = poolOf(instances(2), { clock });
    await clock.advance(3_600_000);
    const stream = pick(pool.set('random'));
    const set = pool.set('peak-ewma');
    const ids = new Set(
      Array.from({ length: 50 }, () => {
        const endpoint = pick(set);
        pool.finish(endpoint, 'ok', 100);
        return endpoint.id;
      }),
    );
    expect(ids).toContain(stream.id);
  });
});

describe('peak-ewma, of endpoints that nobody has called yet', () => {
  it('calls each of them soon, also when calls come one at a time and the first answer fast', () => {
    const pool = poolOf(instances(5));
    expect(new Set(inTurn(pool, pool.set('peak-ewma'), 30)).size).toBe(5);
  });
});

it('gives a canary of 1 % beside one endpoint little more than that, when calls come one at a time', () => {
  const pool = poolOf(weighted(99, 1));
  const counts = tally(inTurn(pool, pool.set('peak-ewma'), 10_000));
  expect(counts['b'] ?? 0).toBeLessThan(400);
});
