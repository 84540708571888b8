import { describe, expect, it } from 'vitest';
import { anyRequest, LoadBalancerFactory, type Endpoint } from '../src/index.ts';
import { atOnce, ids, instance, instances, pick, poolOf, tally } from './pools.ts';

describe.each(new LoadBalancerFactory().names)('with %s, a limit of attempts in flight', (strategy) => {
  it('is never exceeded, and used up', () => {
    const pool = poolOf(instances(4), { maxInFlight: 3 });
    const set = pool.set(strategy);
    const picked = Array.from({ length: 12 }, (_, index) =>
      pick(set, { key: index % 2 === 0 ? undefined : `k${index % 3}`, tried: [] }),
    );
    expect(tally(ids(picked))).toEqual({ 'i-000': 3, 'i-001': 3, 'i-002': 3, 'i-003': 3 });
    expect(set.pick(anyRequest)).toBeUndefined();
    expect(set.pick({ key: 'k1', tried: [] })).toBeUndefined();
  });

  it('lets in one for each that ends', () => {
    const pool = poolOf(instances(3), { maxInFlight: 2 });
    const set = pool.set(strategy);
    const underWay = Array.from({ length: 6 }, () => pick(set));
    for (const endpoint of underWay.slice(0, 4)) {
      pool.finish(endpoint, 'timeout', 100);
      expect(pick(set)).toBe(endpoint);
      expect(set.pick(anyRequest)).toBeUndefined();
    }
  });

  it('counts what was picked through other sets, and before this one was used', () => {
    const pool = poolOf(instances(2), { maxInFlight: 2 });
    atOnce(pool.set('random', { predicate: ({ id }) => id === 'i-000' }), 2);
    expect(tally(atOnce(pool.set(strategy), 2))).toEqual({ 'i-001': 2 });
    expect(pool.set(strategy).eligible).toEqual([]);
  });

  it('holds for degraded ones too', () => {
    const pool = poolOf(
      instances(2, () => ({ status: 'degraded' })),
      { maxInFlight: 1 },
    );
    const set = pool.set(strategy);
    const underWay = [pick(set), pick(set)];
    expect(set.pick(anyRequest)).toBeUndefined();
    for (const endpoint of underWay) pool.finish(endpoint, 'ok', 1);
    pool.update(instances(2, () => ({ status: 'degraded', weight: 2 })));
    expect(new Set([pick(set), pick(set)]).size).toBe(2);
  });
});

describe('where all of the best have as many in flight as they may', () => {
  const tiers = [instance('first'), instance('second', { priority: 1 })];

  it('the next priority helps out, until one of the best is free', () => {
    const pool = poolOf(tiers, { maxInFlight: 1 });
    const set = pool.set('random');
    const [first, second] = [pick(set), pick(set)];
    expect(ids([first, second])).toEqual(['first', 'second']);
    expect(set.explainPick()?.reason).toBe('fallback');
    pool.finish(first, 'ok', 1);
    expect(pick(set)).toBe(first);
  });

  it('degraded ones help out', () => {
    const pool = poolOf([...instances(3), instance('worse', { status: 'degraded' })], { maxInFlight: 1 });
    expect(atOnce(pool.set('random'), 4).at(-1)).toBe('worse');
  });

  it('other zones help out', () => {
    const snapshot = instances(4, (index) => ({ zone: index < 2 ? 'own' : 'other' }));
    const pool = poolOf(snapshot, { zone: 'own', maxInFlight: 1 });
    expect(atOnce(pool.set('zone-aware'), 4).slice(2).sort()).toEqual(['i-002', 'i-003']);
  });

  it('ejected ones do not', () => {
    const pool = poolOf(instances(3), { maxInFlight: 1 });
    const [first] = pool.endpoints;
    if (first !== undefined) pool.eject(first, 1_000);
    const set = pool.set('random');
    expect(tally(atOnce(set, 2))).toEqual({ 'i-001': 1, 'i-002': 1 });
    expect(set.pick(anyRequest)).toBeUndefined();
    pool.close();
  });

  it('one that was tried elsewhere is used again, as there is nobody else', () => {
    const pool = poolOf(tiers, { maxInFlight: 2 });
    const set = pool.set('random');
    atOnce(set, 2);
    const second = pick(set);
    expect(set.pick({ key: undefined, tried: [second] })).toBe(second);
  });
});

describe('an endpoint that has left', () => {
  it('does not take the limit of its successor along', () => {
    const pool = poolOf([instance('a')], { maxInFlight: 1 });
    const set = pool.set('random');
    const left = pick(set);
    pool.update([instance('a', { port: 81 })]);
    const successor: Endpoint = pick(set);
    expect(successor).not.toBe(left);
    pool.finish(left, 'ok', 1);
    expect(set.pick(anyRequest)).toBeUndefined();
    pool.finish(successor, 'ok', 1);
    expect(pick(set)).toBe(successor);
  });
});
