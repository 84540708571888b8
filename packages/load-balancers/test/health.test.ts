import { ManualClock } from '@sd/core';
import { describe, expect, it } from 'vitest';
import type { Endpoint, EndpointPool, PickRequest } from '../src/index.ts';
import { ids, instance, inTurn, pick, poolOf, weighted } from './pools.ts';

function setUp(snapshot = weighted(1, 1, 1, 1)) {
  const clock = new ManualClock();
  const pool = poolOf(snapshot, { clock });
  const of = (id: string): Endpoint => endpoint(pool, id);
  return { clock, pool, of, set: pool.set('round-robin') };
}

function endpoint(pool: EndpointPool, id: string): Endpoint {
  const found = pool.endpoints.find((candidate) => candidate.id === id);
  if (found === undefined) throw new Error(`no ${id}`);
  return found;
}

describe('an endpoint judged slow', () => {
  it('gets nothing while the others can bear the load', () => {
    const { pool, of, set } = setUp();
    pool.degrade(of('b'), true);
    expect(new Set(inTurn(pool, set, 30))).toEqual(new Set(['a', 'c', 'd']));
    expect(set.explain()).toMatchObject({ healthy: 3, degraded: 1 });
  });

  it('gets nothing either where that is one of two or three', () => {
    for (const snapshot of [weighted(1, 1), weighted(1, 1, 1)]) {
      const { pool, of, set } = setUp(snapshot);
      pool.degrade(of('b'), true);
      expect(inTurn(pool, set, 100)).not.toContain('b');
    }
  });

  it('gets what the others cannot bear', () => {
    const { pool, of, set } = setUp();
    for (const id of ['b', 'c', 'd']) pool.degrade(of(id), true);
    const picked = inTurn(pool, set, 1_000).filter((id) => id !== 'a');
    expect(picked.length / 1_000).toBeCloseTo(1 - 1.4 / 4, 1);
  });

  it('is back when judged well again, and is known of nothing', () => {
    const { pool, of } = setUp(weighted(1, 1));
    const set = pool.set('peak-ewma');
    const first = pick(set);
    pool.finish(first, 'ok', 5_000);
    pool.degrade(first, true);
    pool.degrade(first, false);
    pool.finish(pick(set, { key: undefined, tried: [first] }), 'ok', 1);
    expect(of(first.id).slow).toBe(false);
    expect(pick(set)).toBe(first); // as one that was never called
  });
});

describe("the consumer's own check", () => {
  it('takes out an endpoint that fails it, until it passes', () => {
    const { pool, of, set } = setUp();
    pool.report(of('b'), 'unhealthy');
    expect(ids(set.eligible)).toEqual(['a', 'c', 'd']);
    pool.report(of('b'), 'healthy');
    expect(ids(set.eligible)).toEqual(['a', 'b', 'c', 'd']);
  });

  it('is not believed when most would be out', () => {
    const { pool, set } = setUp();
    for (const each of pool.endpoints) pool.report(each, 'unhealthy');
    expect(ids(set.eligible)).toEqual(['a', 'b', 'c', 'd']);
    pick(set);
    expect(set.reason).toBe('panic');
  });

  it('does not lift what attempts still see failing', () => {
    const { pool, of, set } = setUp();
    pool.eject(of('b'), Infinity);
    pool.report(of('b'), 'healthy');
    expect(ids(set.eligible)).toEqual(['a', 'c', 'd']);
  });

  it('does not lift what the registry says', () => {
    const { pool, of, set } = setUp([instance('a'), instance('b', { status: 'draining' })]);
    pool.report(of('b'), 'healthy');
    expect(ids(set.eligible)).toEqual(['a']);
  });

  it('keeps a new endpoint waiting for its first pass where checks are awaited', () => {
    const pool = poolOf(weighted(1, 1), { awaitChecks: true });
    const set = pool.set('round-robin');
    for (const each of pool.endpoints) pool.report(each, 'healthy');
    pool.update(weighted(1, 1, 1));
    expect(ids(set.eligible)).toEqual(['a', 'b']);
    pool.report(endpoint(pool, 'c'), 'healthy');
    expect(ids(set.eligible)).toEqual(['a', 'b', 'c']);
  });

  it('does not keep the first endpoints of all waiting', () => {
    const pool = poolOf(weighted(1, 1), { awaitChecks: true });
    expect(ids(pool.set('round-robin').eligible)).toEqual(['a', 'b']);
  });
});

describe('an isolated endpoint', () => {
  it('gets nothing, not even in panic', () => {
    const { pool, of, set } = setUp(weighted(1, 1));
    pool.isolate(of('a'), true);
    pool.eject(of('b'), Infinity);
    expect(ids(set.eligible)).toEqual(['b']);
    pool.isolate(of('a'), false);
    expect(ids(set.eligible)).toEqual(['a']);
  });
});

describe('endpoints of weight 0', () => {
  it('are used as soon as nobody else takes requests, and no longer', () => {
    const { pool, of, set } = setUp(weighted(1, 0));
    pool.isolate(of('a'), true);
    expect(ids(set.eligible)).toEqual(['b']);
    pool.isolate(of('a'), false);
    expect(ids(set.eligible)).toEqual(['a']);
  });
});

describe('a probe', () => {
  const unrepeatable: PickRequest = { key: undefined, tried: [], mayProbe: false };

  it('is one request to an endpoint that is out of rotation', () => {
    const { pool, of, set } = setUp();
    pool.eject(of('b'), Infinity);
    pool.probe(of('b'));
    expect(pick(set).id).toBe('b');
    expect(set.explainPick()).toEqual({ reason: 'probe', priority: 0, zone: undefined, share: 0 });
    expect(inTurn(pool, set, 30)).not.toContain('b');
    expect(set.reason).toBe('direct');
  });

  it.each(['peak-ewma', 'ring-hash', 'maglev', 'least-connections', 'weighted-random', 'sticky'])(
    'reaches its endpoint whatever the strategy: %s',
    (strategy) => {
      const { pool, of } = setUp();
      pool.eject(of('c'), Infinity);
      pool.probe(of('c'));
      expect(pick(pool.set(strategy), { key: 'user-1', tried: [] }).id).toBe('c');
    },
  );

  it('is no retry', () => {
    const { pool, of, set } = setUp();
    pool.eject(of('b'), Infinity);
    pool.probe(of('b'));
    expect(pick(set, { key: undefined, tried: [of('a')] }).id).not.toBe('b');
    expect(pick(set).id).toBe('b');
  });

  it('spares what cannot be repeated, unless nothing else comes for a second', async () => {
    const { clock, pool, of, set } = setUp();
    pool.eject(of('b'), Infinity);
    pool.probe(of('b'));
    expect(pick(set, unrepeatable).id).not.toBe('b');
    await clock.advance(1_000);
    expect(pick(set, unrepeatable).id).toBe('b');
  });

  it('does not spare it where no connection opened: there, nothing is sent', () => {
    const { pool, of, set } = setUp();
    pool.eject(of('b'), Infinity, { unreachable: true });
    pool.probe(of('b'));
    expect(pick(set, unrepeatable).id).toBe('b');
  });

  it('is no request of which nothing will be told', async () => {
    const { clock, pool, of, set } = setUp();
    pool.eject(of('b'), Infinity, { unreachable: true });
    pool.probe(of('b'));
    await clock.advance(1_000);
    const silent = Array.from({ length: 9 }, () => pick(set, { ...unrepeatable, mayProbe: 'never' }).id);
    expect(silent).not.toContain('b');
    expect(pick(set).id).toBe('b');
  });

  it('goes to nobody whom the filter of the set leaves out', () => {
    const { pool, of } = setUp([instance('a', { tags: ['x'] }), instance('b')]);
    pool.eject(of('b'), Infinity);
    pool.probe(of('b'));
    expect(pick(pool.set('random', { tags: ['x'] })).id).toBe('a');
    expect(pick(pool.set('random')).id).toBe('b');
  });

  it.each(['draining', 'out-of-service', 'unhealthy'] as const)('goes to nobody who is %s', (status) => {
    const { pool, of, set } = setUp([instance('a'), instance('b', { status })]);
    pool.probe(of('b'));
    expect(inTurn(pool, set, 5)).not.toContain('b');
  });

  it('is off when its endpoint is ejected anew, restored or gone', () => {
    const { pool, of, set } = setUp(weighted(1, 1));
    const away = of('b');
    pool.eject(away, Infinity);
    pool.probe(away);
    pool.eject(away, Infinity);
    expect(pick(set).id).toBe('a');
    pool.probe(away);
    pool.update(weighted(1));
    expect(pick(set).id).toBe('a');
  });

  it('takes the endpoint that waits longest first', async () => {
    const { clock, pool, of, set } = setUp();
    for (const id of ['c', 'b']) {
      pool.eject(of(id), Infinity);
      pool.probe(of(id));
      await clock.advance(1);
    }
    const order = [1, 2, 3, 4, 5].map(() => pick(set)).filter(({ ejected }) => ejected);
    expect(order.map(({ id }) => id)).toEqual(['c', 'b']);
  });

  it('comes no more often than if its endpoint were in rotation', () => {
    const { pool, of, set } = setUp();
    pool.eject(of('b'), Infinity);
    const picked = Array.from({ length: 100 }, () => {
      pool.probe(of('b')); // each failed at once
      return inTurn(pool, set, 1)[0];
    });
    expect(picked.filter((id) => id === 'b')).toHaveLength(25);
  });
});
