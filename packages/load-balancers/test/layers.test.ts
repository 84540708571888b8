import { instanceStatuses, type InstanceStatus } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { anyRequest, LoadBalancerFactory } from '../src/index.ts';
import { ids, instance, instances, poolOf, type Given } from './pools.ts';

/** The ids of the eligible ones among instances that are given by id. */
function eligible(given: Readonly<Record<string, Given & { readonly ejected?: boolean }>>): string[] {
  const pool = poolOf(
    Object.entries(given).map(([id, { ejected: _ejected, ...init }]) => instance(id, init)),
  );
  for (const endpoint of pool.endpoints) {
    if (given[endpoint.id]?.ejected === true) pool.eject(endpoint, 1_000);
  }
  const found = ids(pool.set('round-robin').eligible);
  pool.close();
  return found;
}

describe('status', () => {
  it.each<InstanceStatus>(['draining', 'unhealthy', 'starting', 'out-of-service'])(
    'keeps requests from an instance that is %s, also when there is no other',
    (status) => {
      expect(eligible({ a: { status }, b: {} })).toEqual(['b']);
      expect(eligible({ a: { status }, b: { status: 'degraded' } })).toEqual(['b']);
      expect(eligible({ a: { status } })).toEqual([]);
    },
  );

  it('lets healthy and unknown instances take requests', () => {
    expect(eligible({ a: { status: 'healthy' }, b: { status: 'unknown' } })).toEqual(['a', 'b']);
  });

  it('lets degraded instances take requests only when the healthy ones cannot bear all', () => {
    expect(eligible({ a: { status: 'degraded' }, b: {}, c: {}, d: {} })).toEqual(['b', 'c', 'd']);
    expect(eligible({ a: { status: 'degraded' }, b: { status: 'unhealthy' } })).toEqual(['a']);
  });

  it.each(new LoadBalancerFactory().names)('counts for %s as soon as it changes', (strategy) => {
    const pool = poolOf(instances(2));
    const set = pool.set(strategy);
    pool.update(instances(2, () => ({ status: 'draining' })));
    expect(set.pick(anyRequest)).toBeUndefined();
    pool.update(instances(2));
    expect(set.pick(anyRequest)).toBeDefined();
  });

  it('has no word that is not decided here', () => {
    const statuses = instanceStatuses.filter((status) => eligible({ a: { status } }).length > 0);
    expect(statuses).toEqual(['healthy', 'degraded', 'unknown']);
  });
});

describe('priority', () => {
  it('prefers the lowest number', () => {
    expect(eligible({ a: { priority: 1 }, b: { priority: 0 }, c: { priority: 0 } })).toEqual(['b', 'c']);
  });

  it.each<[string, Given & { ejected?: boolean }]>([
    ['unhealthy', { status: 'unhealthy' }],
    ['degraded', { status: 'degraded' }],
    ['ejected', { ejected: true }],
    ['of weight 0', { weight: 0 }],
  ])('fails over to the next when all of the best are %s', (_what, best) => {
    expect(eligible({ a: best, b: best, c: { priority: 2 }, d: { priority: 3 } })).toEqual(['c']);
  });

  it('does not fail over while the best can bear all', () => {
    expect(eligible({ a: { ejected: true }, b: {}, c: {}, d: {}, e: { priority: 1 } })).toEqual([
      'b',
      'c',
      'd',
    ]);
  });

  it('comes back to the best when all are ejected', () => {
    expect(eligible({ a: { ejected: true }, b: { priority: 1, ejected: true } })).toEqual(['a']);
  });
});

describe('weight 0', () => {
  it('means no requests', () => {
    expect(eligible({ a: { weight: 0 }, b: { weight: 0.01 } })).toEqual(['b']);
  });

  it('means nothing where all have it', () => {
    expect(eligible({ a: { weight: 0 }, b: { weight: 0 } })).toEqual(['a', 'b']);
  });

  it('is believed more than ejections and bad health are', () => {
    expect(eligible({ a: { weight: 0 }, b: { ejected: true } })).toEqual(['b']);
    expect(eligible({ a: { weight: 0 }, b: { status: 'degraded' } })).toEqual(['b']);
  });

  it('does not count among those that take no requests anyway', () => {
    expect(eligible({ a: { weight: 0 }, b: { status: 'draining' } })).toEqual(['a']);
  });
});
