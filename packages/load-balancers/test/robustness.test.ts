import { ManualClock, type DiscoveryLogger } from '@sd/core';
import { describe, expect, it } from 'vitest';
import {
  ConsistentHash,
  LoadBalancerFactory,
  MaglevTable,
  type Endpoint,
  type Layer,
  type Outcome,
  type Strategy,
} from '../src/index.ts';
import { ids, instance, instances, inTurn, pick, poolOf, tally, weighted } from './pools.ts';

function remembering(): { logger: DiscoveryLogger; messages: string[] } {
  const messages: string[] = [];
  const log = (message: string): void => void messages.push(message);
  return { messages, logger: { debug: log, info: log, warn: log, error: log } };
}

describe.each(['round-robin', 'weighted-round-robin'])('%s', (strategy) => {
  it('starves nobody when one is full after each pick and comes back at once', () => {
    const pool = poolOf(instances(5), { maxInFlight: 1 });
    const counts = tally(inTurn(pool, pool.set(strategy), 1_000));
    expect(Object.values(counts)).toEqual([200, 200, 200, 200, 200]);
  });

  it('starves nobody when each is ejected after its turn and restored before the next', () => {
    const pool = poolOf(instances(5));
    const set = pool.set(strategy);
    const counts = tally(
      Array.from({ length: 1_000 }, () => {
        const endpoint = pick(set);
        pool.finish(endpoint, 'error', 1);
        pool.eject(endpoint, 1_000);
        pool.restore(endpoint);
        return endpoint.id;
      }),
    );
    expect(Math.min(...Object.values(counts))).toBeGreaterThan(190);
  });
});

describe('weights at the ends of what numbers can hold', () => {
  it.each(new LoadBalancerFactory().names)('do not stop %s', (strategy) => {
    const pool = poolOf(weighted(1e-13, 1e-16, 1e-30));
    const set = pool.set(strategy);
    pick(set, { key: 'k', tried: [] });
    pool.update([instance('c', { weight: 1e-30 }), instance('d', { weight: 1e-30 })]);
    expect(['c', 'd']).toContain(pick(set).id);
    expect(['c', 'd']).toContain(pick(set, { key: 'k', tried: [] }).id);
  });

  it.each(new LoadBalancerFactory().names)(
    'do not hide the light ones from %s when the heavy one is out',
    (strategy) => {
      const layer: Layer = { name: 'extremes', apply: (_, weights) => weights.set([1e9, 1e-9]) };
      const pool = poolOf(weighted(1, 1), { layers: [layer], panicThreshold: 0 });
      const set = pool.set(strategy);
      const [heavy] = pool.endpoints;
      pick(set);
      if (heavy !== undefined) pool.eject(heavy, 1_000);
      expect(pick(set).id).toBe('b');
      pool.close();
    },
  );

  it('do not make a Maglev table of one heavy and many light members visit all in each round', () => {
    const pool = poolOf(
      instances(650, (index) => ({ weight: index === 0 ? 10_000 : 0.000_1 })),
      {
        factory: new LoadBalancerFactory().register(
          'table',
          ({ rng }) => new ConsistentHash({ table: new MaglevTable(), rng }),
        ),
      },
    );
    const set = pool.set('table');
    const owners = Array.from({ length: 1_000 }, (_, key) => pick(set, { key: `${key}`, tried: [] }).id);
    expect(tally(owners)['i-000']).toBeGreaterThan(950);
  });
});

describe("a user's strategy that throws", () => {
  /** Throws where it is told to. */
  function broken(where: 'update' | 'started' | 'finished', isBroken: () => boolean) {
    let first: Endpoint | undefined;
    const fail = (at: string): void => {
      if (at === where && isBroken()) throw new Error(`broken at ${at}`);
    };
    const strategy = (): Strategy => ({
      update: ([one]) => {
        fail('update');
        first = one;
      },
      pick: () => first,
      started: () => fail('started'),
      finished: () => fail('finished'),
    });
    return new LoadBalancerFactory().register('broken', strategy);
  }

  it('in update, does not keep other sets from the change, and starts anew when it is used again', () => {
    const { logger, messages } = remembering();
    let isBroken = false;
    const pool = poolOf(weighted(1, 1), { factory: broken('update', () => isBroken), logger });
    const [bad, good] = [pool.set('broken'), pool.set('round-robin')];
    pick(bad);
    pick(good);
    isBroken = true;
    pool.update([instance('c')]);
    expect(ids(good.eligible)).toEqual(['c']);
    expect(messages).toEqual(['A strategy of service "orders" threw; it starts anew with the next pick']);
    expect(() => bad.pick({ key: undefined, tried: [] })).toThrow('broken at update');
    isBroken = false;
    expect(pick(bad).id).toBe('c');
  });

  it('in update, does not break the timer that ends an ejection', async () => {
    const { logger, messages } = remembering();
    const clock = new ManualClock();
    let isBroken = false;
    const pool = poolOf(weighted(1, 1), { factory: broken('update', () => isBroken), clock, logger });
    pick(pool.set('broken'));
    const [first] = pool.endpoints;
    if (first !== undefined) pool.eject(first, 1_000);
    isBroken = true;
    await clock.advance(1_000);
    expect(first?.ejected).toBe(false);
    expect(messages).toHaveLength(1);
  });

  it.each(['started', 'finished'] as const)('in %s, leaves the count of attempts right', (where) => {
    const { logger, messages } = remembering();
    const pool = poolOf([instance('a')], { factory: broken(where, () => true), logger });
    const endpoint = pick(pool.set('broken'));
    expect(endpoint.inFlight).toBe(1);
    pool.finish(endpoint, 'ok', 1);
    expect(endpoint.inFlight).toBe(0);
    expect(messages).toHaveLength(1);
  });
});

describe('an endpoint that is picked after it has left', () => {
  it('does not give its slot to two others', () => {
    let home: Endpoint | undefined;
    const loyal = (): Strategy => ({ update: ([one]) => (home ??= one), pick: () => home });
    const pool = poolOf([instance('a')], { factory: new LoadBalancerFactory().register('loyal', loyal) });
    const set = pool.set('loyal');
    pool.finish(pick(set), 'ok', 1);
    pool.update([instance('b')]);
    const gone = set.pick({ key: undefined, tried: [] });
    if (gone !== undefined) pool.finish(gone, 'ok', 1);
    pool.update(['b', 'c', 'd'].map((id) => instance(id)));
    expect(new Set(pool.endpoints.map(({ slot }) => slot)).size).toBe(3);
  });
});

describe('a latency that cannot be', () => {
  it.each([Number.NaN, Infinity, -1])('of %d ms is told to nobody', (latencyMs) => {
    const told: [Outcome, number][] = [];
    let first: Endpoint | undefined;
    const listening = (): Strategy => ({
      update: ([one]) => (first = one),
      pick: () => first,
      finished: (_endpoint, outcome, ms) => told.push([outcome, ms]),
    });
    const factory = new LoadBalancerFactory().register('listening', listening);
    const pool = poolOf(instances(1), { factory });
    const set = pool.set('listening');
    pool.finish(pick(set), 'ok', latencyMs);
    pool.finish(pick(set), 'timeout', latencyMs);
    expect(told).toEqual([
      ['cancelled', 0],
      ['timeout', 0],
    ]);
  });

  it('does not spoil the balance of zones', () => {
    const clock = new ManualClock();
    const all = ['a', 'b', 'c'].map((zone) => instance(zone, { zone }));
    const pool = poolOf(all, { zone: 'a', zoneAware: { by: 'load' }, clock });
    const set = pool.set('round-robin');
    pool.finish(pick(set), 'ok', Number.NaN);
    for (let call = 0; call < 2_000; call += 1) pool.finish(pick(set), 'ok', 10);
    const shares = set.explain().groups.map(({ share }) => share);
    expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true);
  });
});

describe('degraded endpoints', () => {
  it('keep their turns while metadata of one of them changes all the time', () => {
    const snapshot = (step: number) =>
      instances(3, (index) => ({ status: 'degraded', metadata: index === 0 ? { step: `${step}` } : {} }));
    const pool = poolOf(snapshot(0));
    const set = pool.set('round-robin');
    const counts = tally(
      Array.from({ length: 300 }, (_, step) => {
        pool.update(snapshot(step));
        return inTurn(pool, set, 1).join();
      }),
    );
    expect(Object.values(counts)).toEqual([100, 100, 100]);
  });
});

describe('a subset', () => {
  it('is of endpoints that take requests', () => {
    const pool = poolOf(instances(100), { subset: { size: 3, client: 'c' } });
    const set = pool.set('random');
    const chosen = new Set(ids(set.eligible));
    pool.update(
      instances(100, () => ({})).map((one) => (chosen.has(one.id) ? { ...one, status: 'starting' } : one)),
    );
    expect(set.eligible).toHaveLength(3);
    expect(ids(set.eligible).some((id) => chosen.has(id))).toBe(false);
  });
});

describe('the reason of a pick', () => {
  it('does not tell of the pick before when there is nobody', () => {
    const pool = poolOf(weighted(1, 1));
    const set = pool.set('ring-hash');
    const first = pick(set, { key: 'k', tried: [] });
    pick(set, { key: 'k', tried: [first] });
    expect(set.reason).toBe('fallback');
    pool.update([]);
    set.pick({ key: 'k', tried: [] });
    expect([set.reason, set.explainPick()]).toEqual(['direct', undefined]);
  });
});
