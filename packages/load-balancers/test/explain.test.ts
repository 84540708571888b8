import { describe, expect, it } from 'vitest';
import { type Layer, type PickRequest } from '../src/index.ts';
import { instance, instances, pick, poolOf } from './pools.ts';

const keyed: PickRequest = { key: 'user-1', tried: [] };

describe('explainPick', () => {
  it('has nothing to say before the first pick', () => {
    expect(poolOf(instances(1)).set('random').explainPick()).toBeUndefined();
  });

  it('says `direct` where nothing was decided', () => {
    const set = poolOf(instances(2, () => ({ zone: 'x' }))).set('random');
    pick(set);
    expect(set.explainPick()).toEqual({ reason: 'direct', priority: 0, zone: undefined, share: 1 });
  });

  it('says `subset` where this consumer calls some of them only', () => {
    const set = poolOf(instances(5), { subset: { size: 2, client: 'me' } }).set('random');
    pick(set);
    expect(set.explainPick()).toMatchObject({ reason: 'subset', share: 1 });
  });

  it.each(['ring-hash', 'maglev', 'rendezvous'])('says `sticky` where a key belongs, with %s', (strategy) => {
    const set = poolOf(instances(3)).set(strategy);
    pick(set, keyed);
    expect(set.explainPick()?.reason).toBe('sticky');
    pick(set);
    expect(set.explainPick()?.reason).toBe('direct');
  });

  it('says `sticky` from the second call of a key on, with sticky', () => {
    const set = poolOf(instances(3)).set('sticky');
    const reasons = [0, 1].map(() => {
      pick(set, keyed);
      return set.explainPick()?.reason;
    });
    expect(reasons).toEqual(['direct', 'sticky']);
  });

  it.each(['ring-hash', 'maglev', 'rendezvous', 'sticky'])(
    'says `fallback` where the endpoint of a key was tried, with %s',
    (strategy) => {
      const set = poolOf(instances(3)).set(strategy);
      const home = pick(set, keyed);
      pick(set, { ...keyed, tried: [home] });
      expect(set.explainPick()?.reason).toBe('fallback');
    },
  );

  it('says `fallback` where only degraded ones are left', () => {
    const set = poolOf(instances(2, () => ({ status: 'degraded' }))).set('random');
    pick(set);
    expect(set.explainPick()).toMatchObject({ reason: 'fallback', share: 1 });
  });

  it('says `fallback` where all of the priority were tried', () => {
    const pool = poolOf([instance('a'), instance('b', { priority: 1 })]);
    const set = pool.set('random');
    pick(set, { key: undefined, tried: [pick(set)] });
    expect(set.explainPick()).toMatchObject({ reason: 'fallback', priority: 1, share: 0 });
  });

  it('says `spill` where the best priority has nobody', () => {
    const set = poolOf([instance('a', { status: 'unhealthy' }), instance('b', { priority: 3 })]).set(
      'random',
    );
    pick(set);
    expect(set.explainPick()).toMatchObject({ reason: 'spill', priority: 3, share: 1 });
  });

  it('says `spill` where the own zone cannot bear all', () => {
    const snapshot = instances(11, (index) => ({ zone: index === 0 ? 'own' : 'other' }));
    const set = poolOf(snapshot, { zone: 'own' }).set('zone-aware');
    const reasons = new Map(
      Array.from({ length: 100 }, () => {
        pick(set);
        const { zone, reason, share } = set.explainPick() ?? {};
        return [zone, [reason, Math.round((share ?? 0) * 100)]] as const;
      }),
    );
    expect(Object.fromEntries(reasons)).toEqual({ own: ['direct', 18], other: ['spill', 82] });
  });

  it('says `panic` before anything else', () => {
    const pool = poolOf(instances(3));
    const set = pool.set('maglev');
    const home = pick(set, keyed);
    for (const endpoint of pool.endpoints) pool.eject(endpoint, 1_000);
    pick(set, { ...keyed, tried: [home] });
    expect(set.explainPick()?.reason).toBe('panic');
    pool.close();
  });
});

describe('explain', () => {
  it('counts by condition', () => {
    const statuses = [
      'healthy',
      'unknown',
      'degraded',
      'unhealthy',
      'starting',
      'draining',
      'out-of-service',
    ] as const;
    const pool = poolOf(
      [
        ...statuses.map((status) => instance(status, { status })),
        ...['ejected', 'unreachable', 'busy', 'busy-too'].map((id) => instance(id)),
        instance('weightless', { weight: 0 }),
        instance('another', { zone: 'elsewhere' }),
      ],
      { maxInFlight: 1 },
    );
    for (const endpoint of pool.endpoints) {
      const unreachable = endpoint.id === 'unreachable';
      if (endpoint.id === 'ejected' || unreachable) pool.eject(endpoint, 1_000, { unreachable });
      if (endpoint.id.startsWith('busy'))
        pick(pool.set('random', { predicate: ({ id }) => id === endpoint.id }));
    }
    expect(pool.set('random', { predicate: ({ zone }) => zone === undefined }).explain()).toMatchObject({
      known: 13,
      matching: 12,
      leftOut: 1,
      healthy: 4,
      degraded: 1,
      ejected: 1,
      unreachable: 1,
      unhealthy: 1,
      off: 3,
      saturated: 2,
    });
    pool.close();
  });

  it('counts those that a layer or the subset left out', () => {
    const notFirst: Layer = { name: 'not the first', apply: (_, weights) => (weights[0] = 0) };
    const pool = poolOf(instances(10), { layers: [notFirst], subset: { size: 3, client: 'me' } });
    expect(pool.set('random').explain()).toMatchObject({ known: 10, matching: 10, leftOut: 7, healthy: 3 });
  });

  it('has the share of each priority and zone', () => {
    const pool = poolOf(
      [
        instance('a', { zone: 'own' }),
        instance('b', { zone: 'own', status: 'unhealthy' }),
        instance('c', { zone: 'other', status: 'degraded' }),
        instance('d', { zone: 'other', status: 'unhealthy' }),
        instance('e', { zone: 'own', priority: 1 }),
      ],
      { zone: 'own', zoneAware: true },
    );
    const { groups } = pool.set('random').explain();
    const own = { zone: 'own', degradedShare: 0, panic: false };
    expect(groups).toEqual([
      { ...own, priority: 0, endpoints: 2, share: 0.35 },
      { priority: 0, zone: 'other', endpoints: 2, share: 0, degradedShare: 0, panic: false },
      { ...own, priority: 1, endpoints: 1, share: 0.65 },
    ]);
  });

  it('is as of now', () => {
    const pool = poolOf(instances(2));
    const set = pool.set('random');
    expect(set.explain().healthy).toBe(2);
    pool.update(instances(3, () => ({ status: 'degraded' })));
    expect(set.explain()).toMatchObject({
      healthy: 0,
      degraded: 3,
      groups: [{ share: 0, degradedShare: 1 }],
    });
  });
});
