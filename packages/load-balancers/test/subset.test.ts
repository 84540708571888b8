import { describe, expect, it } from 'vitest';
import { Subset } from '../src/layers/subset.ts';
import type { Endpoint } from '../src/index.ts';
import { ids, inTurn, instances, poolOf } from './pools.ts';

const members = (count: number): readonly Endpoint[] => poolOf(instances(count)).endpoints;

function chosen(endpoints: readonly Endpoint[], size: number, client = 'me', weights?: readonly number[]) {
  const kept = Float64Array.from(weights ?? endpoints.map(() => 1));
  new Subset({ size, client }).apply(endpoints, kept);
  return endpoints.filter((_, place) => kept[place] !== 0);
}

const lost = (before: readonly Endpoint[], after: readonly Endpoint[]): readonly Endpoint[] =>
  before.filter((endpoint) => !after.includes(endpoint));

describe('a subset', () => {
  const hundred = members(100);

  it.each([1, 2, 10, 99])('has exactly its size: %i of 100', (size) => {
    expect(chosen(hundred, size)).toHaveLength(size);
  });

  it.each([100, 1_000])('has all where there are no more than its size: 100 of %i', (size) => {
    expect(chosen(hundred, size)).toEqual(hundred);
  });

  it('is the same for the same client, in any order of the endpoints', () => {
    const reversed = [...hundred].reverse();
    expect(ids(chosen(reversed, 10)).sort()).toEqual(ids(chosen(hundred, 10)).sort());
  });

  it('is another for another client', () => {
    expect(ids(chosen(hundred, 10, 'you'))).not.toEqual(ids(chosen(hundred, 10)));
  });

  it('changes by at most one when one leaves', () => {
    const before = chosen(hundred, 10);
    for (const left of hundred) {
      const after = chosen(lost(hundred, [left]), 10);
      expect(lost(before, after)).toEqual(before.includes(left) ? [left] : []);
      expect(after).toHaveLength(10);
    }
  });

  it('leaves weights as they are', () => {
    const weights = hundred.map((_, place) => place + 1);
    const kept = Float64Array.from(weights);
    new Subset({ size: 10, client: 'me' }).apply(hundred, kept);
    expect(kept.every((weight, place) => weight === 0 || weight === weights[place])).toBe(true);
  });

  it('does not count those that have no weight', () => {
    const weights = hundred.map((_, place) => place % 2);
    const some = chosen(hundred, 10, 'me', weights);
    expect(some).toHaveLength(10);
    expect(some.every((endpoint) => weights[hundred.indexOf(endpoint)] === 1)).toBe(true);
  });

  it('knows an endpoint that has the slot of another', () => {
    const subset = new Subset({ size: 1, client: 'me' });
    const [a, b] = [members(3), poolOf(instances(6).slice(3)).endpoints];
    const apply = (endpoints: readonly Endpoint[]): readonly Endpoint[] => {
      const weights = new Float64Array(3).fill(1);
      subset.apply(endpoints, weights);
      return endpoints.filter((_, place) => weights[place] === 1);
    };
    expect([apply(a), apply(b)]).toEqual([chosen(a, 1), chosen(b, 1)]);
  });
});

describe('300 clients with subsets of 30 among 300 endpoints', () => {
  const servers = members(301);
  const clients = Array.from({ length: 300 }, (_, index) => `client-${index}`);
  const subsets = clients.map((client) => chosen(servers.slice(0, 300), 30, client));

  it('call each endpoint about as often', () => {
    const callers = new Map(servers.slice(0, 300).map((server) => [server, 0]));
    for (const server of subsets.flat()) callers.set(server, (callers.get(server) ?? 0) + 1);
    // The mean is 30, and chance spreads by 5.2: 300 draws stay within 3.5 times that.
    expect(Math.max(...callers.values()) / 30).toBeLessThan(1.6);
    expect(Math.min(...callers.values()) / 30).toBeGreaterThan(0.4);
  });

  it('drop fewer connections than one in 200 when an endpoint joins', () => {
    const dropped = clients.map(
      (client, index) => lost(subsets[index] ?? [], chosen(servers, 30, client)).length,
    );
    expect(Math.max(...dropped)).toBe(1);
    expect(dropped.reduce((total, count) => total + count)).toBeLessThan(45);
  });
});

describe('a set of a consumer with a subset', () => {
  it('calls those of the subset only', () => {
    const pool = poolOf(instances(50), { subset: { size: 5, client: 'me' } });
    const set = pool.set('random');
    expect(set.eligible).toHaveLength(5);
    expect(new Set(inTurn(pool, set, 200))).toEqual(new Set(ids(set.eligible)));
  });

  it('does not replace an ejected one, as that comes back', () => {
    const pool = poolOf(instances(50), { subset: { size: 5, client: 'me' } });
    const set = pool.set('random');
    const [first, ...others] = set.eligible;
    if (first !== undefined) pool.eject(first, 1_000);
    expect(set.eligible).toEqual(others);
    pool.close();
  });
});

it('has its size of each priority, so that nobody is left with stand-ins alone', () => {
  const all = poolOf(instances(20, (index) => ({ priority: index < 10 ? 0 : 1 }))).endpoints;
  for (let client = 0; client < 50; client += 1) {
    const some = chosen(all, 2, `client-${client}`);
    expect(some.map(({ instance }) => instance.priority)).toEqual([0, 0, 1, 1]);
  }
});
