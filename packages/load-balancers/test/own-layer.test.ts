import type { DiscoveryLogger } from '@sd/core';
import { describe, expect, it } from 'vitest';
import type { Layer } from '../src/index.ts';
import { ids, inTurn, instances, poolOf, tally, weighted } from './pools.ts';

function remembering(): { logger: DiscoveryLogger; messages: string[] } {
  const messages: string[] = [];
  const log = (message: string): void => void messages.push(message);
  return { messages, logger: { debug: log, info: log, warn: log, error: log } };
}

const times = (factor: number): Layer => ({
  name: `times ${factor} for a`,
  apply: (endpoints, weights) =>
    endpoints.forEach(
      ({ id }, place) => (weights[place] = (weights[place] ?? 0) * (id === 'a' ? factor : 1)),
    ),
});

const broken: Layer = {
  name: 'broken',
  apply: (_, weights) => {
    weights.fill(0);
    throw new Error('broken');
  },
};

describe("a user's layer", () => {
  it('multiplies weights as published', () => {
    const pool = poolOf(weighted(1, 2, 3), { layers: [times(4)] });
    expect(tally(inTurn(pool, pool.set('weighted-round-robin'), 900))).toEqual({ a: 400, b: 200, c: 300 });
  });

  it('gets what the one before it left', () => {
    const pool = poolOf(weighted(1, 2, 3), { layers: [times(2), times(2)] });
    expect(tally(inTurn(pool, pool.set('weighted-round-robin'), 900))).toEqual({ a: 400, b: 200, c: 300 });
  });

  it('leaves out whom it gives no weight, also when nobody else is there', () => {
    const pool = poolOf(weighted(1, 1), { layers: [times(0)] });
    expect(ids(pool.set('random').eligible)).toEqual(['b']);
    pool.update(weighted(1));
    expect(pool.set('random').eligible).toEqual([]);
  });

  it('sees those that the filter lets through, whatever their state', () => {
    const seen: string[][] = [];
    const spy: Layer = { name: 'spy', apply: (endpoints) => seen.push(ids(endpoints)) };
    const pool = poolOf(
      instances(3, (index) => ({ status: index === 1 ? 'draining' : 'healthy' })),
      { layers: [spy] },
    );
    pool.set('random', { predicate: ({ id }) => id !== 'i-000' }).explain();
    expect(seen).toEqual([['i-001', 'i-002']]);
  });

  it('is asked when something changes or the pool is told to, and not per pick', () => {
    let asked = 0;
    const pool = poolOf(instances(3), { layers: [{ name: 'counting', apply: () => (asked += 1) }] });
    inTurn(pool, pool.set('random'), 50);
    expect(asked).toBe(1);
    pool.update(instances(4));
    pool.refresh();
    expect(asked).toBe(3);
  });

  it('decides anew after a refresh', () => {
    let banned = 'a';
    const ban: Layer = {
      name: 'ban',
      apply: (endpoints, weights) =>
        endpoints.forEach(({ id }, place) => id === banned && (weights[place] = 0)),
    };
    const pool = poolOf(weighted(1, 1), { layers: [ban] });
    const set = pool.set('random');
    expect(ids(set.eligible)).toEqual(['b']);
    banned = 'b';
    pool.refresh();
    expect(ids(set.eligible)).toEqual(['a']);
  });

  it('comes before the subset, which takes its endpoints from those that are left', () => {
    const pool = poolOf(weighted(1, 1, 1), { layers: [times(0)], subset: { size: 2, client: 'me' } });
    expect(ids(pool.set('random').eligible)).toEqual(['b', 'c']);
  });
});

describe('a layer that throws', () => {
  it('is left out, as are its changes, and the others hold', () => {
    const { logger } = remembering();
    const pool = poolOf(weighted(1, 1), { layers: [broken, times(3)], logger });
    expect(tally(inTurn(pool, pool.set('weighted-round-robin'), 400))).toEqual({ a: 300, b: 100 });
  });

  it('is reported once per change', () => {
    const { logger, messages } = remembering();
    const pool = poolOf(weighted(1, 1), { layers: [broken], logger });
    inTurn(pool, pool.set('random'), 20);
    pool.update(weighted(1, 2));
    expect(messages).toEqual(Array(2).fill('Layer "broken" of service "orders" threw; it is left out'));
  });
});

describe('a layer that is async', () => {
  it('is left out and reported, and does not end the process when it rejects', async () => {
    const { logger, messages } = remembering();
    const late = { name: 'late', apply: async () => Promise.reject(new Error('no answer')) };
    const pool = poolOf(weighted(1, 1), { layers: [late], logger });
    expect(tally(inTurn(pool, pool.set('weighted-round-robin'), 400))).toEqual({ a: 200, b: 200 });
    await new Promise(setImmediate); // when Node tells of promises that nobody has handled
    expect(messages).toEqual(['Layer "late" of service "orders" threw; it is left out']);
  });
});

describe.each([-1, Number.NaN, Infinity])('a layer that gives a weight of %d', (weight) => {
  it('is left out and reported, with the endpoint', () => {
    const { logger, messages } = remembering();
    const wrong: Layer = { name: 'wrong', apply: (_, weights) => (weights[1] = weight) };
    const pool = poolOf(weighted(1, 3), { layers: [wrong], logger });
    expect(tally(inTurn(pool, pool.set('weighted-round-robin'), 400))).toEqual({ a: 100, b: 300 });
    expect(messages).toEqual([
      'Layer "wrong" of service "orders" gave "b" no weight from 0 on; it is left out',
    ]);
  });
});
