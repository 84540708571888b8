import { ManualClock } from '@sd/core';
import { describe, expect, it } from 'vitest';
import {
  anyRequest,
  firstUntried,
  LoadBalancerFactory,
  type Endpoint,
  type EndpointPoolOptions,
  type IncrementalStrategy,
  type Strategy,
} from '../src/index.ts';
import { ids, inTurn, instance, instances, pick, poolOf, tally, weighted } from './pools.ts';

type Told = [what: string, id: string, weight?: number];

/** The first endpoint that is open; says what it was told. */
function noting(told: Told[]): IncrementalStrategy {
  const open = new Set<Endpoint>();
  const note = (what: string, { id }: Endpoint, ...rest: [] | [number]): void =>
    void told.push([what, id, ...rest]);
  return {
    add(endpoint, weight) {
      open.add(endpoint);
      note('add', endpoint, weight);
    },
    remove(endpoint) {
      open.delete(endpoint);
      note('remove', endpoint);
    },
    reweigh: (endpoint, weight) => note('reweigh', endpoint, weight),
    suspend(endpoint) {
      open.delete(endpoint);
      note('suspend', endpoint);
    },
    resume(endpoint) {
      open.add(endpoint);
      note('resume', endpoint);
    },
    pick: ({ tried }) => firstUntried([...open], 0, tried),
  };
}

function poolWith(
  strategy: () => Strategy | IncrementalStrategy,
  options: Partial<EndpointPoolOptions> = {},
) {
  const factory = new LoadBalancerFactory().register('own', strategy);
  const pool = poolOf(weighted(1, 2), { factory, ...options });
  const set = pool.set('own');
  set.explain();
  return { pool, set };
}

describe("a user's simple strategy", () => {
  it.each<[what: string, picked: (first: Endpoint | undefined) => unknown]>([
    ['an instance', (first) => first?.instance],
    ['a promise', (first) => Promise.resolve(first)],
    ['null', () => null],
    ['a place', () => 0],
  ])('is told of when it picks %s', (_, picked) => {
    let list: readonly Endpoint[] = [];
    const strategy: Strategy = {
      update: (endpoints) => void (list = endpoints),
      // @ts-expect-error as plain JavaScript may do it
      pick: () => picked(list[0]),
    };
    const { pool, set } = poolWith(() => strategy);
    expect(() => set.pick(anyRequest)).toThrow(
      /^Strategy "own": "pick\(\)" is .+, expected an endpoint that update\(\) was given, or undefined$/,
    );
    expect(pool.endpoints.map(({ inFlight }) => inFlight)).toEqual([0, 0]);
  });
});

describe("a user's incremental strategy", () => {
  it('is told of each change by itself', () => {
    const told: Told[] = [];
    const { pool } = poolWith(() => noting(told));
    const [a] = pool.endpoints;
    pool.update(weighted(1, 5, 3));
    if (a !== undefined) pool.eject(a, 1_000);
    if (a !== undefined) pool.restore(a);
    pool.update(weighted(1, 5));
    expect(told).toEqual([
      ['add', 'a', 1],
      ['add', 'b', 2],
      ['reweigh', 'b', 5],
      ['add', 'c', 3],
      ['suspend', 'a'],
      ['resume', 'a'],
      ['remove', 'c'],
    ]);
  });

  it('keeps those as members that take no requests now', () => {
    const told: Told[] = [];
    const { pool, set } = poolWith(() => noting(told));
    pool.update([instance('a', { status: 'draining' }), instance('b', { weight: 2 })]);
    expect(told.at(-1)).toEqual(['suspend', 'a']);
    expect(pick(set).id).toBe('b');
  });

  it('loses one that becomes another process, and gets the new one', () => {
    const told: Told[] = [];
    const { pool, set } = poolWith(() => noting(told));
    pool.update([instance('a', { port: 81 }), instance('b', { weight: 2 })]);
    expect(told.slice(2)).toEqual([
      ['remove', 'a'],
      ['add', 'a', 1],
    ]);
    expect(pool.endpoints).toContain(pick(set));
  });

  it('does not see those that are full', () => {
    const told: Told[] = [];
    const { pool, set } = poolWith(() => noting(told), { maxInFlight: 1 });
    const [a, b] = [pick(set), pick(set)];
    expect(set.pick(anyRequest)).toBeUndefined();
    pool.finish(a, 'ok', 1);
    expect([a.id, b.id]).toEqual(['a', 'b']);
    expect(told.slice(2)).toEqual([
      ['suspend', 'a'],
      ['suspend', 'b'],
      ['resume', 'a'],
    ]);
  });

  it('is told when one is warmer, with its weight without that', async () => {
    const told: Told[] = [];
    const clock = new ManualClock(1);
    const { pool } = poolWith(() => noting(told), { clock, slowStart: { windowMs: 2_000 } });
    await clock.advance(50);
    expect(told.slice(2)).toEqual([
      ['reweigh', 'a', 1],
      ['reweigh', 'b', 2],
    ]);
    expect(pool.endpoints.map(({ warmth }) => warmth)).toEqual([0.1, 0.1]);
    pool.close();
  });

  it('is made once for each priority', () => {
    let made = 0;
    const { pool, set } = poolWith(() => {
      made += 1;
      return noting([]);
    });
    pool.update(instances(6, (index) => ({ priority: index % 3 })));
    set.explain();
    expect(made).toBe(3);
  });
});

describe("a user's simple strategy", () => {
  function listing(updates: [string, number][][]): Strategy {
    let first: readonly Endpoint[] = [];
    return {
      update(endpoints, weights) {
        first = endpoints;
        updates.push(endpoints.map(({ id }, place) => [id, weights[place] ?? -1]));
      },
      pick: ({ tried }) => firstUntried(first, 0, tried),
    };
  }

  it('gets those that a pick may return with their weights, anew with each change', () => {
    const updates: [string, number][][] = [];
    const { pool } = poolWith(() => listing(updates));
    const [a] = pool.endpoints;
    expect(updates.at(-1)).toEqual([
      ['a', 1],
      ['b', 2],
    ]);
    if (a !== undefined) pool.eject(a, 1_000);
    expect(updates.at(-1)).toEqual([['b', 2]]);
    pool.update(weighted(4, 3, 0));
    expect(updates.at(-1)).toEqual([['b', 3]]);
    if (a !== undefined) pool.restore(a);
    expect(updates.at(-1)).toEqual([
      ['a', 4],
      ['b', 3],
    ]);
  });

  it('gets weights with slow start in them', () => {
    const updates: [string, number][][] = [];
    const slowStart = { windowMs: 2_000 };
    const { pool } = poolWith(() => listing(updates), { clock: new ManualClock(1), slowStart });
    expect(updates.at(-1)).toEqual([
      ['a', 0.1],
      ['b', 0.2],
    ]);
    pool.close();
  });

  it('does not see arrays change that it has kept', () => {
    const kept: (readonly Endpoint[])[] = [];
    const { pool } = poolWith(() => ({
      update: (endpoints) => void kept.push(endpoints),
      pick: () => undefined,
    }));
    const [first] = kept;
    pool.update(instances(3));
    expect(first?.map(({ id }) => id)).toEqual(['a', 'b']);
  });

  it('may follow weights', () => {
    const { pool, set } = poolWith(() => {
      let turns: readonly Endpoint[] = [];
      let next = 0;
      return {
        update: (endpoints, weights) => {
          turns = endpoints.flatMap((endpoint, place) => Array<Endpoint>(weights[place] ?? 0).fill(endpoint));
        },
        pick: ({ tried }) => firstUntried(turns, (next += 1) % turns.length, tried),
      };
    });
    expect(tally(inTurn(pool, set, 30))).toEqual({ a: 10, b: 20 });
    expect(ids(set.eligible)).toEqual(['a', 'b']);
  });
});
