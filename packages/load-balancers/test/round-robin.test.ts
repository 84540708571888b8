import { seededRng } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { RoundRobin } from '../src/index.ts';
import { filled, inTurn, instances, poolOf, tally, weighted } from './pools.ts';

const without = <T>(list: readonly T[], index: number): T[] => list.filter((_, at) => at !== index);

describe('round-robin', () => {
  it('takes one after the other', () => {
    const pool = poolOf(weighted(1, 1, 1), { rng: () => 0 });
    expect(inTurn(pool, pool.set('round-robin'), 7).join('')).toBe('abcabca');
  });

  it('does not look at weights', () => {
    const pool = poolOf(weighted(1, 100, 0.1));
    expect(tally(inTurn(pool, pool.set('round-robin'), 300))).toEqual({ a: 100, b: 100, c: 100 });
  });

  it('starts anywhere', () => {
    const starts = Array.from({ length: 200 }, (_, seed) => {
      const pool = poolOf(instances(5), { rng: seededRng(seed) });
      return inTurn(pool, pool.set('round-robin'), 1).join();
    });
    expect(Math.min(...Object.values(tally(starts)))).toBeGreaterThan(20);
    expect(new Set(starts).size).toBe(5);
  });

  it('starts anywhere also if it was made, and used, before the first snapshot', () => {
    const pool = poolOf([], { rng: () => 0.5 });
    const set = pool.set('round-robin');
    expect(set.pick({ key: undefined, tried: [] })).toBeUndefined();
    pool.update(weighted(1, 1, 1, 1));
    expect(inTurn(pool, set, 2).join('')).toBe('cd');
  });

  it('goes on with those that were due, and newcomers, when others come and go', () => {
    const all = instances(6);
    const pool = poolOf(without(all, 5), { rng: () => 0 });
    const set = pool.set('round-robin');
    expect(inTurn(pool, set, 3)).toEqual(['i-000', 'i-001', 'i-002']);
    pool.update(without(all, 0));
    expect(inTurn(pool, set, 3).sort()).toEqual(['i-003', 'i-004', 'i-005']);
    expect(inTurn(pool, set, 2).sort()).toEqual(['i-001', 'i-002']);
  });

  it('goes on with the next one when the endpoint that was due has left', () => {
    const all = instances(4);
    const pool = poolOf(all, { rng: () => 0 });
    const set = pool.set('round-robin');
    inTurn(pool, set, 2);
    pool.update(without(all, 2));
    expect(inTurn(pool, set, 2)).toEqual(['i-003', 'i-000']);
  });

  it('stays even while the set changes with every pick', () => {
    const all = instances(5);
    const pool = poolOf(all);
    const set = pool.set('round-robin');
    const picked = Array.from({ length: 1000 }, () => {
      pool.update([...all]);
      return inTurn(pool, set, 1).join();
    });
    expect(Object.values(tally(picked))).toEqual([200, 200, 200, 200, 200]);
  });

  it('begins with everybody in turn, also where requests that meet one of two go to the other as well', () => {
    const pool = poolOf(weighted(1, 1), { rng: () => 0 });
    const set = pool.set('round-robin');
    const firsts = Array.from({ length: 6 }, () => {
      const [first] = inTurn(pool, set, 1);
      const tried = pool.endpoints.filter(({ id }) => id === first);
      if (first === 'a') expect(inTurn(pool, set, 1, { key: undefined, tried })).toEqual(['b']);
      return first;
    });
    expect(firsts.join('')).toBe('ababab');
  });

  it('spreads what is asked besides over all others', () => {
    const pool = poolOf(weighted(1, 1, 1, 1));
    const strategy = filled(new RoundRobin({ rng: () => 0 }), pool);
    const [a] = pool.endpoints;
    const request = { key: undefined, tried: a === undefined ? [] : [a] };
    const asked = Array.from({ length: 300 }, () => strategy.pick(request)?.id ?? '');
    expect(tally(asked)).toEqual({ b: 100, c: 100, d: 100 });
  });
});
