import { describe, expect, it } from 'vitest';
import { RoundRobin, Sticky, type Endpoint, type EndpointPool, type PickRequest } from '../src/index.ts';
import { filled, ids, instance, instances, pick, poolOf, tally, type Given } from './pools.ts';

const keyed = (key: string, tried: PickRequest['tried'] = []): PickRequest => ({ key, tried });
const users = Array.from({ length: 60 }, (_, index) => keyed(`user-${index}`));

/** Endpoints a and b, where each key of `onA` has been to a, and each of `onB` to b. */
function homes(given: Partial<Parameters<typeof poolOf>[1]> = {}) {
  const pool = poolOf([instance('a'), instance('b')], given);
  const set = pool.set('sticky');
  const picked = users.map((request) => {
    const endpoint = pick(set, request);
    pool.finish(endpoint, 'ok', 1);
    return [request, endpoint] as const;
  });
  const on = (id: string): PickRequest[] =>
    picked.filter(([, one]) => one.id === id).map(([request]) => request);
  const change = (a: Given): void => pool.update([instance('a', a), instance('b')]);
  return { pool, set, onA: on('a'), onB: on('b'), change };
}

describe('sticky', () => {
  it('keeps a key where it was first', () => {
    const pool = poolOf(instances(5));
    const set = pool.set('sticky');
    const rounds = Array.from({ length: 3 }, () => ids(users.map((request) => pick(set, request))).join());
    expect(new Set(rounds).size).toBe(1);
  });

  it('loads endpoints evenly with new keys', () => {
    const set = poolOf(instances(6)).set('sticky');
    const counts = Object.values(tally(ids(users.map((request) => pick(set, request)))));
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(3);
  });

  it('keeps its keys when others join or leave', () => {
    const { pool, set, onB } = homes();
    pool.update([...instances(5), instance('b')]);
    for (const request of onB) expect(pick(set, request).id).toBe('b');
  });

  it('finds another home for the keys of one that left, and keeps that', () => {
    const { pool, set, onA } = homes();
    pool.update([instance('b'), instance('c'), instance('d')]);
    const next = onA.map((request) => pick(set, request));
    pool.update([instance('a'), instance('b'), instance('c'), instance('d')]);
    expect(onA.map((request) => pick(set, request))).toEqual(next);
  });

  it('finds another home for the keys of one that is ejected', () => {
    const { pool, set, onA } = homes();
    const [a] = pool.endpoints;
    if (a !== undefined) pool.eject(a, 1_000);
    for (const request of onA) expect(pick(set, request).id).toBe('b');
    if (a !== undefined) pool.restore(a);
    for (const request of onA) expect(pick(set, request).id).toBe('b');
  });

  it('lends a key to another for a retry, and keeps it', () => {
    const { set, onA } = homes();
    const [request] = onA;
    const home = pick(set, request);
    expect(pick(set, { key: request?.key, tried: [home] }).id).toBe('b');
    expect(pick(set, request)).toBe(home);
  });

  it('sends calls without a key anywhere', () => {
    const { set } = homes();
    expect(new Set(Array.from({ length: 20 }, () => pick(set).id))).toEqual(new Set(['a', 'b']));
  });

  it('chooses for new keys as told', () => {
    const pool = poolOf(instances(3));
    const sticky = filled(new Sticky({ inner: new RoundRobin({ rng: () => 0 }) }), pool);
    const picked = ['x', 'y', 'z', 'x'].map((key) => sticky.pick(keyed(key))?.id);
    expect(picked).toEqual(['i-000', 'i-001', 'i-002', 'i-000']);
  });
});

describe('an endpoint that is draining', () => {
  it('keeps the keys that it has', () => {
    const { set, onA, change } = homes();
    change({ status: 'draining' });
    for (const request of onA) expect(pick(set, request).id).toBe('a');
  });

  it('gets no new ones, and no calls without a key', () => {
    const { set, change } = homes();
    change({ status: 'draining' });
    for (let user = 100; user < 150; user += 1) expect(pick(set, keyed(`user-${user}`)).id).toBe('b');
    for (let calls = 0; calls < 20; calls += 1) expect(pick(set).id).toBe('b');
  });

  it('loses its keys when it is ejected or goes out of service', () => {
    const { pool, set, onA, change } = homes();
    change({ status: 'draining' });
    const [a] = pool.endpoints;
    if (a !== undefined) pool.eject(a, 1_000);
    expect(pick(set, onA[0]).id).toBe('b');
    if (a !== undefined) pool.restore(a);
    change({ status: 'out-of-service' });
    expect(pick(set, onA[1]).id).toBe('b');
  });

  it.each([
    ['an operator isolates it', (pool: EndpointPool, a: Endpoint) => pool.isolate(a, true)],
    ['it fails our own check', (pool: EndpointPool, a: Endpoint) => pool.report(a, 'unhealthy')],
  ])('loses its keys when %s', (_, act) => {
    const { pool, set, onA, change } = homes();
    change({ status: 'draining' });
    const [a] = pool.endpoints;
    if (a !== undefined) act(pool, a);
    expect(pick(set, onA[0]).id).toBe('b');
  });

  it('has no more in flight than it may', () => {
    const { set, onA, change } = homes({ maxInFlight: 2 });
    change({ status: 'draining' });
    expect(Array.from({ length: 4 }, () => pick(set, onA[0]).id)).toEqual(['a', 'a', 'b', 'b']);
  });
});

describe('the keys that are remembered', () => {
  function known(sticky: Sticky, count: number): number {
    return Array.from({ length: count }, (_, key) => {
      sticky.pick(keyed(`${key}`));
      return sticky.affinity;
    }).filter((affinity) => affinity === 'sticky').length;
  }

  it('are at most twice as many as told', () => {
    const sticky = filled(new Sticky({ keys: 100 }), poolOf(instances(3)));
    known(sticky, 10_000);
    // The last ones are remembered, and asked for from the last on, so that asking makes none be forgotten.
    let remembered = 0;
    for (let key = 9_999; key >= 9_700; key -= 1) {
      sticky.pick(keyed(`${key}`));
      if (sticky.affinity !== 'sticky') break;
      remembered += 1;
    }
    expect(remembered).toBeGreaterThanOrEqual(100);
    expect(remembered).toBeLessThanOrEqual(200);
  });

  it('are at least as many as told', () => {
    const sticky = filled(new Sticky({ keys: 100 }), poolOf(instances(3)));
    known(sticky, 100);
    expect(known(sticky, 100)).toBe(100);
  });

  it('are those used last', () => {
    const sticky = filled(new Sticky({ keys: 10 }), poolOf(instances(3)));
    for (let key = 0; key < 500; key += 1) {
      sticky.pick(keyed('often'));
      if (key > 0) expect(sticky.affinity).toBe('sticky');
      sticky.pick(keyed(`${key}`));
    }
  });
});
