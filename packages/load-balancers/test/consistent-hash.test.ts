import { ConfigValidationError, seededRng, type ServiceInstance } from '@sd/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ConsistentHash,
  EndpointPool,
  HashRing,
  LoadBalancerFactory,
  MaglevTable,
  RendezvousTable,
  type KeyTable,
} from '../src/index.ts';
import { ids, inTurn, instance, instances, pick, poolOf, tally } from './pools.ts';

const keys = Array.from({ length: 800 }, (_, index) => `user-${index}`);

function ownersIn(pool: EndpointPool, strategy: string): string[] {
  const set = pool.set(strategy);
  return keys.map((key) => inTurn(pool, set, 1, { key, tried: [] }).join());
}

const moved = (before: readonly string[], after: readonly string[]): number[] =>
  [...before.keys()].filter((index) => before[index] !== after[index]);

const anyMembers = fc.uniqueArray(
  fc.record({ number: fc.nat(40), weight: fc.constantFrom(1, 1, 2, 5, 0.5) }),
  { selector: ({ number }) => number, minLength: 2, maxLength: 24, size: 'max' },
);

type Members = readonly { readonly number: number; readonly weight: number }[];

const snapshotOf = (members: Members): ServiceInstance[] =>
  members.map(({ number, weight }) => instance(`i-${number}`, { weight }));

const options = { seed: 2_026, numRuns: 15 };

describe.each(['ring-hash', 'maglev', 'rendezvous'])('%s', (strategy) => {
  it('moves only the keys of an ejected endpoint, and brings all back with it', () => {
    const property = fc.property(anyMembers, fc.nat(99), (members, whom) => {
      const pool = poolOf(snapshotOf(members));
      const before = ownersIn(pool, strategy);
      const ejected = pool.endpoints[whom % members.length];
      if (ejected === undefined) return;
      pool.eject(ejected, 1_000);
      const after = ownersIn(pool, strategy);
      pool.restore(ejected);
      expect(after).not.toContain(ejected.id);
      expect(moved(before, after).filter((index) => before[index] !== ejected.id)).toEqual([]);
      expect(ownersIn(pool, strategy)).toEqual(before);
    });
    fc.assert(property, options);
  });

  it('is the same for the same members, whatever was before', () => {
    const property = fc.property(anyMembers, fc.array(anyMembers, { maxLength: 4 }), (members, before) => {
      const [plain, eventful] = [poolOf(snapshotOf(members)), poolOf([], { rng: seededRng(7) })];
      for (const earlier of before) {
        eventful.update(snapshotOf(earlier));
        eventful.set(strategy).explain();
      }
      eventful.update(snapshotOf(members).reverse());
      expect(ownersIn(eventful, strategy)).toEqual(ownersIn(plain, strategy));
    });
    fc.assert(property, options);
  });

  it('spreads the keys of an ejected endpoint over all others by their weights', () => {
    const pool = poolOf(instances(5, (index) => ({ weight: index === 1 ? 3 : 1 })));
    const before = ownersIn(pool, strategy);
    const [first] = pool.endpoints;
    if (first !== undefined) pool.eject(first, 1_000);
    const after = ownersIn(pool, strategy);
    const heirs = tally(moved(before, after).map((index) => after[index] ?? ''));
    const total = Object.values(heirs).reduce((sum, count) => sum + count);
    expect((heirs['i-001'] ?? 0) / total).toBeGreaterThan(0.35);
    expect(Object.keys(heirs)).toHaveLength(4);
    pool.close();
  });

  it('gives shares near the weights, for any weights', () => {
    const property = fc.property(anyMembers, (members) => {
      const counts = tally(ownersIn(poolOf(snapshotOf(members)), strategy));
      const total = members.reduce((sum, { weight }) => sum + weight, 0);
      for (const { number, weight } of members) {
        const fair = (keys.length * weight) / total;
        // Five times the spread of chance, and what the table is uneven by itself.
        const most = 5 * Math.sqrt(fair) + 0.15 * fair;
        expect(Math.abs((counts[`i-${number}`] ?? 0) - fair), `i-${number}`).toBeLessThan(most);
      }
    });
    fc.assert(property, options);
  });

  it('moves a few keys besides those of one that leaves at most', () => {
    const most = strategy === 'maglev' ? 0.03 * keys.length : 0;
    const property = fc.property(anyMembers, fc.nat(99), (members, whom) => {
      // With a test of its own below: a ring moves more where weights differ.
      const snapshot = snapshotOf(members.map((member) => ({ ...member, weight: 1 })));
      const pool = poolOf(snapshot);
      const before = ownersIn(pool, strategy);
      const left = snapshot[whom % snapshot.length]?.id;
      pool.update(snapshot.filter(({ id }) => id !== left));
      const others = moved(before, ownersIn(pool, strategy)).filter((index) => before[index] !== left);
      expect(others.length).toBeLessThanOrEqual(most);
    });
    fc.assert(property, options);
  });

  it('goes on to another for each attempt of a key, the same each time', () => {
    const pool = poolOf(instances(6));
    const set = pool.set(strategy);
    const path = (): string[] => {
      const tried = [pick(set, { key: 'k', tried: [] })];
      while (tried.length < 6) tried.push(pick(set, { key: 'k', tried: [...tried] }));
      return ids(tried);
    };
    const first = path();
    expect(new Set(first).size).toBe(6);
    expect(path()).toEqual(first);
  });

  it('chooses by weight for a call without a key', () => {
    const pool = poolOf(instances(2, (index) => ({ weight: 1 + 2 * index })));
    const counts = tally(inTurn(pool, pool.set(strategy), 4_000));
    expect(Math.abs((counts['i-000'] ?? 0) - 1_000)).toBeLessThan(150);
  });
});

describe('ring-hash', () => {
  it('moves no key but those of one that leaves, also where weights differ', () => {
    const snapshot = instances(9, (index) => ({ weight: index < 5 ? 1 : 2 }));
    const before = ownersIn(poolOf(snapshot), 'ring-hash');
    const after = ownersIn(poolOf(snapshot.slice(0, 8)), 'ring-hash');
    expect(moved(before, after).filter((index) => before[index] !== 'i-008')).toEqual([]);
  });
});

describe('bounded load', () => {
  const tables: [string, () => KeyTable][] = [
    ['HashRing', () => new HashRing()],
    ['MaglevTable', () => new MaglevTable()],
    ['RendezvousTable', () => new RendezvousTable()],
  ];

  function bounded(table: () => KeyTable, snapshot: readonly ServiceInstance[]) {
    const factory = new LoadBalancerFactory().register(
      'bounded',
      ({ rng }) => new ConsistentHash({ table: table(), boundedLoad: 1.25, rng }),
    );
    const pool = poolOf(snapshot, { factory });
    return { pool, set: pool.set('bounded') };
  }

  it.each(tables)('is kept when all calls have one key: %s', (_what, table) => {
    const { set } = bounded(table, instances(5));
    for (let calls = 1; calls <= 500; calls += 1) {
      const { inFlight, id } = pick(set, { key: 'hot', tried: [] });
      expect(inFlight, id).toBeLessThanOrEqual(Math.ceil((1.25 * calls) / 5));
    }
  });

  it('is kept when attempts on those that left are ended by whoever hears of it', () => {
    const factory = new LoadBalancerFactory().register(
      'bounded',
      ({ rng }) => new ConsistentHash({ table: new HashRing(), boundedLoad: 1.25, rng }),
    );
    const pool: EndpointPool = new EndpointPool({
      service: 'orders',
      factory,
      onLeave(endpoint) {
        while (endpoint.inFlight > 0) pool.finish(endpoint, 'cancelled', 0);
      },
    });
    const set = pool.set('bounded');
    for (let registeredAt = 1; registeredAt <= 20; registeredAt += 1) {
      pool.update(instances(5, () => ({ registeredAt })));
      for (let calls = 0; calls < 20; calls += 1) pick(set, { key: `${calls}`, tried: [] });
    }
    pool.update(instances(5));
    for (let calls = 1; calls <= 100; calls += 1) {
      const { inFlight, id } = pick(set, { key: 'hot', tried: [] });
      expect(inFlight, id).toBeLessThanOrEqual(Math.ceil((1.25 * calls) / 5));
    }
  });

  it.each(tables)('is kept for weights: %s', (_what, table) => {
    const { pool, set } = bounded(
      table,
      instances(4, (index) => ({ weight: index + 1 })),
    );
    for (let calls = 1; calls <= 400; calls += 1) pick(set, { key: `user-${calls % 3}`, tried: [] });
    for (const {
      inFlight,
      instance: { weight },
    } of pool.endpoints) {
      expect(inFlight).toBeLessThanOrEqual(Math.ceil((1.25 * 400 * weight) / 10));
    }
  });

  it.each(tables)('moves no key while endpoints have room: %s', (_what, table) => {
    const { pool, set } = bounded(table, instances(5));
    const unbounded = ownersIn(poolOf(instances(5)), table() instanceof HashRing ? 'ring-hash' : 'maglev');
    const owners = keys.map((key) => inTurn(pool, set, 1, { key, tried: [] }).join());
    if (!(table() instanceof RendezvousTable)) expect(owners).toEqual(unbounded);
    expect(keys.map((key) => inTurn(pool, set, 1, { key, tried: [] }).join())).toEqual(owners);
  });

  it('takes a key back when its endpoint has room again', () => {
    const { pool, set } = bounded(() => new HashRing(), instances(5));
    const request = { key: 'hot', tried: [] };
    const home = pick(set, request);
    const other = pick(set, request);
    expect(other).not.toBe(home);
    expect(set.explainPick()?.reason).toBe('fallback');
    pool.finish(home, 'ok', 1);
    expect(pick(set, request)).toBe(home);
  });

  it('is kept by degraded endpoints, after others were degraded and have recovered', () => {
    const { pool, set } = bounded(
      () => new HashRing(),
      instances(4, () => ({ status: 'degraded' })),
    );
    const underWay = Array.from({ length: 40 }, (_, user) => pick(set, { key: `user-${user}`, tried: [] }));
    pool.update(instances(4));
    for (const endpoint of underWay) pool.finish(endpoint, 'ok', 1);
    pool.update(instances(4, () => ({ status: 'degraded' })));
    const endpoint = pick(set, { key: 'k', tried: [] });
    pool.finish(endpoint, 'ok', 1);
    expect(inTurn(pool, set, 20, { key: 'k', tried: [] })).toEqual(Array(20).fill(endpoint.id));
  });

  it.each([1, 0.5, 0, -1, Number.NaN, Symbol('2'), {}])('of %s is refused', (boundedLoad) => {
    const call = (): unknown =>
      new ConsistentHash({ table: new HashRing(), boundedLoad: boundedLoad as number });
    expect(call).toThrow(ConfigValidationError);
    expect(call).toThrow(expect.objectContaining({ field: 'boundedLoad' }));
  });
});
