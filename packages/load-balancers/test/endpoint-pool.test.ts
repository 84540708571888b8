import { seededRng } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { LoadBalancerFactory, type Endpoint, type Outcome, type Strategy } from '../src/index.ts';
import { atOnce, ids, inTurn, instance, instances, pick, poolOf, tally, weighted } from './pools.ts';

describe('the statistics of an endpoint', () => {
  it('count an attempt at the moment of the pick, until it is finished', () => {
    const pool = poolOf(instances(1));
    const endpoint = pick(pool.set('round-robin'));
    expect(endpoint.inFlight).toBe(1);
    pool.finish(endpoint, 'ok', 5);
    expect(endpoint.inFlight).toBe(0);
  });

  it('survive changes of membership and of the instance', () => {
    const pool = poolOf(instances(3));
    atOnce(pool.set('round-robin'), 3);
    const [before] = pool.endpoints;
    pool.update(instances(5, () => ({ weight: 7, status: 'degraded' })));
    const [after] = pool.endpoints;
    expect(after).toBe(before);
    expect(after?.inFlight).toBe(1);
    expect(after?.instance.weight).toBe(7);
  });

  it('leave with the instance', () => {
    const pool = poolOf(instances(2));
    atOnce(pool.set('round-robin'), 2);
    pool.update(instances(1));
    pool.update(instances(2));
    expect(pool.endpoints.map(({ inFlight }) => inFlight)).toEqual([1, 0]);
  });

  it.each([
    ['host', { host: 'elsewhere.local' }],
    ['port', { port: 81 }],
    ['registeredAt', { registeredAt: 2 }],
  ])('do not hold for another process under the same id: another %s', (_what, given) => {
    const pool = poolOf([instance('a')]);
    const before = pick(pool.set('round-robin'));
    pool.update([instance('a', given)]);
    const [after] = pool.endpoints;
    expect(after).not.toBe(before);
    expect(after?.inFlight).toBe(0);
    expect(pick(pool.set('round-robin'))).toBe(after);
  });

  it('are not disturbed by the late end of an attempt on an endpoint that left', () => {
    const pool = poolOf(weighted(1, 1));
    const set = pool.set('least-connections');
    const [left, stays] = [pick(set), pick(set)];
    pool.update([instance(stays.id), instance('new')]);
    pool.finish(left, 'ok', 1);
    expect(pool.endpoints.map(({ inFlight }) => inFlight)).toEqual([1, 0]);
    expect(pick(set).id).toBe('new');
  });

  it('are not disturbed by an attempt that is finished twice', () => {
    const pool = poolOf(weighted(1, 1));
    const set = pool.set('least-connections');
    const endpoint = pick(set);
    pool.finish(endpoint, 'ok', 1);
    pool.finish(endpoint, 'ok', 1);
    expect(endpoint.inFlight).toBe(0);
    expect(tally(atOnce(set, 10))).toEqual({ a: 5, b: 5 });
  });

  it('are shared by all sets: least-connections sees what was picked through another', () => {
    const pool = poolOf(weighted(1, 1));
    const least = pool.set('least-connections');
    pick(least);
    const busy = pick(least);
    pool.endpoints.forEach((endpoint) => {
      if (endpoint !== busy) pool.finish(endpoint, 'ok', 1);
    });
    const only = pool.set('random', { predicate: ({ id }) => id !== busy.id });
    atOnce(only, 5);
    expect(pick(least)).toBe(busy);
  });

  it('do not lead a set to endpoints that it does not have', () => {
    const pool = poolOf(instances(6));
    const some = pool.set('least-connections', { predicate: ({ id }) => id > 'i-002' });
    const underWay = Array.from({ length: 30 }, () => [pick(pool.set('least-connections')), pick(some)]);
    for (const endpoint of underWay.flat()) pool.finish(endpoint, 'ok', 1);
    expect(tally(atOnce(some, 30))).toEqual({ 'i-003': 10, 'i-004': 10, 'i-005': 10 });
  });

  it('are told to strategies, with what became of each attempt', () => {
    const told: [string, Outcome?, number?][] = [];
    const factory = new LoadBalancerFactory().register('listening', () => listening(told));
    const pool = poolOf([instance('a')], { factory });
    const endpoint = pick(pool.set('listening'));
    pool.finish(endpoint, 'timeout', 250);
    pool.finish(pick(pool.set('random')), 'ok', 3);
    expect(told).toEqual([['a'], ['a', 'timeout', 250], ['a'], ['a', 'ok', 3]]);
  });
});

describe('slots', () => {
  it('are given to another endpoint when the last attempt on the first has ended, not before', () => {
    const pool = poolOf([instance('a')]);
    const [a, again] = [pick(pool.set('random')), pick(pool.set('random'))];
    pool.update([instance('b')]);
    expect(slotsOf(pool.endpoints)).not.toContain(a.slot);
    pool.finish(a, 'ok', 1);
    pool.update([instance('b'), instance('c')]);
    expect(slotsOf(pool.endpoints)).not.toContain(a.slot);
    pool.finish(again, 'ok', 1);
    pool.update([instance('b'), instance('c'), instance('d')]);
    expect(slotsOf(pool.endpoints)).toContain(a.slot);
  });

  it('are different for all that live, and few, whatever comes and goes', () => {
    const rng = seededRng(9);
    const known = instances(30);
    const pool = poolOf(known);
    const set = pool.set('least-connections');
    const underWay: Endpoint[] = [];
    for (let step = 0; step < 500; step += 1) {
      pool.update(known.filter((_, index) => index === 0 || rng() < 0.5));
      for (let picks = 0; picks < 4; picks += 1) underWay.push(pick(set));
      while (underWay.length > 10) {
        const [done] = underWay.splice(Math.floor(rng() * underWay.length), 1);
        if (done !== undefined) pool.finish(done, 'ok', 1);
      }
      const living = new Set([...pool.endpoints, ...underWay]);
      expect(new Set(slotsOf([...living])).size).toBe(living.size);
      expect(Math.max(...slotsOf([...living]))).toBeLessThan(50);
    }
  });
});

describe('a pool', () => {
  it('has its endpoints in the order of the snapshot', () => {
    expect(ids(poolOf([instance('b'), instance('a')]).endpoints)).toEqual(['b', 'a']);
  });

  it('takes the last of several instances with one id', () => {
    const pool = poolOf([instance('a', { port: 1 }), instance('b'), instance('a', { port: 2 })]);
    expect(pool.endpoints.map((endpoint) => [endpoint.id, endpoint.instance.port])).toEqual([
      ['a', 2],
      ['b', 80],
    ]);
  });

  it('does not disturb the order of another', () => {
    const pools = [poolOf(weighted(1, 1, 1), { rng: () => 0 }), poolOf(weighted(1, 1, 1), { rng: () => 0 })];
    const picked = Array.from({ length: 6 }, () =>
      pools.map((pool) => inTurn(pool, pool.set('round-robin'), 1).join()),
    );
    expect(picked.map(([first]) => first).join('')).toBe('abcabc');
    expect(picked.map(([, second]) => second).join('')).toBe('abcabc');
  });

  it('ignores endpoints that are none of a pool', () => {
    const pool = poolOf([instance('a')]);
    const stranger: Endpoint = {
      id: 'a',
      instance: instance('a'),
      slot: 0,
      inFlight: 1,
      answering: 0,
      ejected: false,
      unreachable: false,
      slow: false,
      checked: 'unknown',
      isolated: false,
      saturated: false,
      warmth: 1,
    };
    pool.finish(stranger, 'ok', 1);
    pool.eject(stranger, 1_000);
    pool.restore(stranger);
    expect(pool.endpoints.map(({ inFlight, ejected }) => [inFlight, ejected])).toEqual([[0, false]]);
  });
});

function slotsOf(endpoints: readonly Endpoint[]): number[] {
  return endpoints.map(({ slot }) => slot);
}

function listening(told: [string, Outcome?, number?][]): Strategy {
  let first: Endpoint | undefined;
  return {
    update: ([endpoint]) => (first = endpoint),
    pick: () => first,
    started: ({ id }) => told.push([id]),
    finished: ({ id }, outcome, latencyMs) => told.push([id, outcome, latencyMs]),
  };
}
