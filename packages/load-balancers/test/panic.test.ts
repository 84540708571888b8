import { describe, expect, it } from 'vitest';
import { LoadBalancerFactory, type EndpointPool } from '../src/index.ts';
import { ids, inTurn, instances, pick, poolOf } from './pools.ts';

/** Four endpoints of which these are ejected. */
function poolWith({ ejected = 0, unreachable = 0, panicThreshold = 0.5 }): EndpointPool {
  const pool = poolOf(instances(4), { panicThreshold });
  pool.endpoints.slice(0, ejected).forEach((endpoint) => pool.eject(endpoint, 1_000));
  pool.endpoints
    .slice(ejected, ejected + unreachable)
    .forEach((endpoint) => pool.eject(endpoint, 1_000, { unreachable: true }));
  return pool;
}

const reached = (pool: EndpointPool): string[] => {
  const found = [...new Set(inTurn(pool, pool.set('round-robin'), 40))].sort();
  pool.close();
  return found;
};

describe('panic', () => {
  it('does not come while half are available', () => {
    expect(reached(poolWith({ ejected: 2 }))).toEqual(['i-002', 'i-003']);
  });

  it('uses ejected ones too when fewer than half are available', () => {
    expect(reached(poolWith({ ejected: 3 }))).toHaveLength(4);
  });

  it('comes when told', () => {
    expect(reached(poolWith({ ejected: 3, panicThreshold: 0.2 }))).toEqual(['i-003']);
    expect(reached(poolWith({ ejected: 1, panicThreshold: 1 }))).toEqual(['i-001', 'i-002', 'i-003']);
    expect(reached(poolWith({ ejected: 2, panicThreshold: 1 }))).toHaveLength(4);
  });

  it('never comes while one is available, where the threshold is 0', () => {
    expect(reached(poolWith({ ejected: 3, panicThreshold: 0 }))).toEqual(['i-003']);
  });

  it('does not use unreachable ones', () => {
    expect(reached(poolWith({ ejected: 2, unreachable: 2 }))).toEqual(['i-000', 'i-001']);
    expect(reached(poolWith({ unreachable: 3 }))).toEqual(['i-003']);
  });

  it('uses unreachable ones when there is nobody else at all', () => {
    expect(reached(poolWith({ unreachable: 4 }))).toHaveLength(4);
  });

  it('does not reach into a better priority that has unreachable ones only', () => {
    const pool = poolOf(instances(4, (index) => ({ priority: index < 2 ? 0 : 1 })));
    for (const endpoint of pool.endpoints) {
      pool.eject(endpoint, 1_000, { unreachable: endpoint.instance.priority === 0 });
    }
    expect(reached(pool)).toEqual(['i-002', 'i-003']);
  });

  it.each(new LoadBalancerFactory().names)('ends when half have returned, for %s', (strategy) => {
    const pool = poolOf(instances(2));
    const set = pool.set(strategy);
    const [first] = pool.endpoints;
    for (const endpoint of pool.endpoints) pool.eject(endpoint, 1_000);
    expect(ids(set.eligible)).toEqual(['i-000', 'i-001']);
    pick(set);
    expect(set.explainPick()?.reason).toBe('panic');
    if (first !== undefined) pool.restore(first);
    expect(new Set(inTurn(pool, set, 20))).toEqual(new Set(['i-000']));
    expect(set.explainPick()?.reason).toBe('direct');
    pool.close();
  });

  it('uses one no more that was ejected and is then found to be unreachable', () => {
    const pool = poolWith({ ejected: 4 });
    const [first] = pool.endpoints;
    if (first !== undefined) pool.eject(first, 10, { unreachable: true });
    expect(reached(pool)).toEqual(['i-001', 'i-002', 'i-003']);
  });

  it('sends keys to their own endpoints, ejected or not', () => {
    const pool = poolWith({ ejected: 0 });
    const set = pool.set('maglev');
    const request = { key: 'user-1', tried: [] };
    const home = pick(set, request);
    for (const endpoint of pool.endpoints) pool.eject(endpoint, 1_000);
    expect(pick(set, request)).toBe(home);
    pool.close();
  });
});
