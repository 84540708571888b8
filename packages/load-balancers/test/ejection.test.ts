import { ManualClock } from '@sd/core';
import { describe, expect, it } from 'vitest';
import type { Endpoint, EndpointPool } from '../src/index.ts';
import { ids, instance, instances, poolOf, weighted } from './pools.ts';

function setUp(snapshot = weighted(1, 1, 1)) {
  const clock = new ManualClock();
  const pool = poolOf(snapshot, { clock });
  return { clock, pool, set: pool.set('round-robin') };
}

function endpoint(pool: EndpointPool, id: string): Endpoint {
  const found = pool.endpoints.find((candidate) => candidate.id === id);
  if (found === undefined) throw new Error(`no ${id}`);
  return found;
}

describe('an ejected endpoint', () => {
  it('is out of rotation for the time given', async () => {
    const { clock, pool, set } = setUp();
    pool.eject(endpoint(pool, 'b'), 1_000);
    expect(endpoint(pool, 'b').ejected).toBe(true);
    expect(ids(set.eligible)).toEqual(['a', 'c']);
    await clock.advance(999);
    expect(ids(set.eligible)).toEqual(['a', 'c']);
    await clock.advance(1);
    expect(endpoint(pool, 'b').ejected).toBe(false);
    expect(ids(set.eligible)).toEqual(['a', 'b', 'c']);
  });

  it('can be put back before its time', () => {
    const { clock, pool, set } = setUp();
    pool.eject(endpoint(pool, 'b'), 1_000);
    pool.restore(endpoint(pool, 'b'));
    expect(ids(set.eligible)).toEqual(['a', 'b', 'c']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('stays away for the longest time given', async () => {
    const { clock, pool } = setUp();
    pool.eject(endpoint(pool, 'b'), 1_000);
    pool.eject(endpoint(pool, 'b'), 5_000);
    pool.eject(endpoint(pool, 'b'), 100);
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(4_999);
    expect(endpoint(pool, 'b').ejected).toBe(true);
    await clock.advance(1);
    expect(endpoint(pool, 'b').ejected).toBe(false);
  });

  it('is used all the same when all are ejected', () => {
    const { pool, set } = setUp();
    for (const one of pool.endpoints) pool.eject(one, 1_000);
    expect(ids(set.eligible)).toEqual(['a', 'b', 'c']);
    pool.close();
  });

  it('stays ejected when its instance changes', () => {
    const { pool, set } = setUp();
    pool.eject(endpoint(pool, 'b'), 1_000);
    pool.update(weighted(2, 2, 2));
    expect(ids(set.eligible)).toEqual(['a', 'c']);
    pool.close();
  });

  it('takes its ejection along when it leaves', () => {
    const { clock, pool, set } = setUp();
    const before = endpoint(pool, 'b');
    pool.eject(before, 1_000);
    pool.update([instance('a')]);
    expect(clock.pendingTimers).toBe(0);
    pool.eject(before, 1_000); // an attempt that was under way failed late
    expect(clock.pendingTimers).toBe(0);
    pool.update(weighted(1, 1, 1));
    expect(ids(set.eligible)).toEqual(['a', 'b', 'c']);
  });
});

describe('a closed pool', () => {
  it('has no timer left and ejects no more', () => {
    const { clock, pool } = setUp();
    for (const one of pool.endpoints) pool.eject(one, 1_000);
    pool.close();
    pool.close();
    expect(clock.pendingTimers).toBe(0);
    pool.update(instances(1));
    for (const one of pool.endpoints) pool.eject(one, 1_000);
    expect(clock.pendingTimers).toBe(0);
  });

  it('closes with the scope that uses it', () => {
    const { clock, pool } = setUp();
    {
      using scoped = pool;
      scoped.eject(endpoint(scoped, 'a'), 1_000);
    }
    expect(clock.pendingTimers).toBe(0);
  });
});
