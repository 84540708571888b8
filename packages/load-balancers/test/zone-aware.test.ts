import { ConfigValidationError } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { EndpointPool, type ZoneOptions } from '../src/index.ts';
import { atOnce, ids, inTurn, instance, pick, poolOf, tally } from './pools.ts';

/** `{ a: 3, b: 2 }`: three endpoints in zone a, two in zone b, of weight 1 each unless given. */
function zones(sizes: Readonly<Record<string, number>>, weight = 1) {
  return Object.entries(sizes).flatMap(([zone, size]) =>
    Array.from({ length: size }, (_, index) => instance(`${zone}${index}`, { zone, weight })),
  );
}

/** Shares of 20,000 calls by zone, in per cent. */
function shares(pool: EndpointPool, strategy = 'zone-aware'): Record<string, number> {
  const zoneOf = new Map(pool.endpoints.map(({ id, instance: { zone } }) => [id, zone ?? 'none']));
  const counts = tally(inTurn(pool, pool.set(strategy), 20_000).map((id) => zoneOf.get(id) ?? ''));
  return Object.fromEntries(Object.entries(counts).map(([zone, count]) => [zone, count / 200]));
}

function poolWith(zoneAware: ZoneOptions, sizes: Readonly<Record<string, number>>): EndpointPool {
  return poolOf(zones(sizes), { zone: 'a', zoneAware });
}

/** Within one per cent of all calls. */
function expectNear(
  actual: Readonly<Record<string, number>>,
  expected: Readonly<Record<string, number>>,
): void {
  expect(Object.keys(actual).sort()).toEqual(Object.keys(expected).sort());
  for (const [zone, share] of Object.entries(expected)) {
    expect(Math.abs((actual[zone] ?? 0) - share), `zone ${zone} has ${actual[zone]} %`).toBeLessThan(1);
  }
}

describe('zone-aware', () => {
  it.each([
    ['its fair share', { a: 2, b: 2, c: 2 }],
    ['more than that', { a: 6, b: 2, c: 1 }],
  ])('stays in its own zone when that has %s', (_what, sizes) => {
    expect(shares(poolOf(zones(sizes), { zone: 'a' }))).toEqual({ a: 100 });
  });

  it('spills what its zone cannot bear, in proportion to what the others can spare', () => {
    // Capacities 10, 35, 55 %; each zone's consumers want 33.3 %. Own: 10 / 33.3 = 30 %.
    // To spare: 1.67 and 21.67 %, so that of the other 70 % zone b gets 5 and zone c 65.
    const pool = poolOf(zones({ a: 2, b: 7, c: 11 }), { zone: 'a' });
    expectNear(shares(pool), { a: 30, b: 5, c: 65 });
  });

  it('spills nothing to a zone that has less than its share itself', () => {
    const pool = poolOf(zones({ a: 1, b: 1, c: 4 }), { zone: 'a' });
    expectNear(shares(pool), { a: 50, c: 50 });
  });

  it('loads all endpoints alike when the consumers of all zones do so', () => {
    const sizes = { a: 2, b: 7, c: 11 };
    const load: Record<string, number> = { a: 0, b: 0, c: 0 };
    for (const zone of ['a', 'b', 'c']) {
      const picked = shares(poolOf(zones(sizes), { zone }));
      for (const [to, share] of Object.entries(picked)) load[to] = (load[to] ?? 0) + share / 3;
    }
    expectNear(load, { a: 10, b: 35, c: 55 });
  });

  it('counts weights, not endpoints', () => {
    const heavy = [...zones({ a: 1 }, 5), ...zones({ b: 5 })];
    expect(shares(poolOf(heavy, { zone: 'a' }))).toEqual({ a: 100 });
  });

  it('respects weights inside a zone', () => {
    const local = [1, 3].map((weight) => instance(`w${weight}`, { zone: 'a', weight }));
    const pool = poolOf([...local, ...zones({ b: 4 })], { zone: 'a' });
    expect(tally(inTurn(pool, pool.set('zone-aware'), 400))).toEqual({ w1: 100, w3: 300 });
  });

  it('knows better when told its share of all consumers', () => {
    // Own: 20 / 50 = 40 %. The others' consumers want 25 % each: to spare are 10 and 20 %.
    const pool = poolWith({ clientShare: 0.5 }, { a: 4, b: 7, c: 9 });
    expectNear(shares(pool), { a: 40, b: 20, c: 40 });
  });

  it.each([-0.1, 1.1, Number.NaN])('refuses a share of consumers of %d', (clientShare) => {
    expect(() => new EndpointPool({ service: 'orders', zoneAware: { clientShare } })).toThrow(
      ConfigValidationError,
    );
  });

  it.each([
    ['the consumer has no zone', undefined],
    ['nobody is in its zone', 'elsewhere'],
  ])('goes by capacity alone when %s', (_what, zone) => {
    const pool = poolOf(zones({ a: 1, b: 3 }), { zone });
    expectNear(shares(pool), { a: 25, b: 75 });
  });

  it('is a round robin when there is one zone', () => {
    const pool = poolOf(zones({ a: 3 }), { zone: 'a', rng: () => 0 });
    expect(inTurn(pool, pool.set('zone-aware'), 6)).toEqual(['a0', 'a1', 'a2', 'a0', 'a1', 'a2']);
  });

  it('treats endpoints without a zone as a zone of their own', () => {
    const pool = poolOf([...zones({ a: 1 }), instance('x'), instance('y')], { zone: 'a' });
    // 33.3 / 50
    expectNear(shares(pool), { a: 66.7, none: 33.3 });
  });

  it('leaves its zone for a retry when everybody there was tried', () => {
    const pool = poolOf(zones({ a: 2, b: 1, c: 3 }), { zone: 'a' });
    const tried = pool.endpoints.filter(({ instance: { zone } }) => zone === 'a');
    const counts = tally(inTurn(pool, pool.set('zone-aware'), 4_000, { key: undefined, tried }));
    expect(Object.keys(counts).sort()).toEqual(['b0', 'c0', 'c1', 'c2']);
    expect(Math.max(...Object.values(counts))).toBeLessThan(1_200);
  });

  it('comes back to its zone when that returns', () => {
    const all = zones({ a: 2, b: 2 });
    const pool = poolOf(all, { zone: 'a' });
    pool.update(all.slice(2));
    expect(shares(pool)).toEqual({ b: 100 });
    pool.update(all);
    expect(shares(pool)).toEqual({ a: 100 });
  });

  it('chooses inside a zone as told', () => {
    const pool = poolOf(zones({ a: 2, b: 2 }), { zone: 'a', zoneAware: true });
    const set = pool.set('least-connections');
    const underWay = Array.from({ length: 10 }, () => pick(set));
    expect(tally(ids(underWay))).toEqual({ a0: 5, a1: 5 });
    const last = underWay.at(-1)?.id ?? '';
    for (const endpoint of underWay) if (endpoint.id === last) pool.finish(endpoint, 'ok', 1);
    expect(tally(atOnce(set, 5))).toEqual({ [last]: 5 });
  });
});
