import { seededRng, type Rng } from '@sd/core';
import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../src/index.ts';
import { atOnce, inTurn, instances, pick, poolOf, sample, tally, weighted } from './pools.ts';

describe('least-connections', () => {
  it('spreads 50 concurrent calls over 5 equal endpoints as 10 each', () => {
    const pool = poolOf(instances(5));
    expect(Object.values(tally(atOnce(pool.set('least-connections'), 50)))).toEqual([10, 10, 10, 10, 10]);
  });

  it('has in flight in proportion to weights', () => {
    const pool = poolOf(weighted(1, 2, 3));
    expect(tally(atOnce(pool.set('least-connections'), 60))).toEqual({ a: 10, b: 20, c: 30 });
  });

  it('shares calls that come one at a time in proportion to weights', () => {
    const pool = poolOf(weighted(1, 2, 7));
    const counts = tally(inTurn(pool, pool.set('least-connections'), 10_000));
    expect(counts.a).toBeCloseTo(1_000, -1);
    expect(counts.b).toBeCloseTo(2_000, -1);
    expect(counts.c).toBeCloseTo(7_000, -1);
  });

  it('still compares heavy endpoints when a very light one is among them', () => {
    const pool = poolOf(weighted(100, 100, 0.01));
    const set = pool.set('least-connections');
    const [slow] = Array.from({ length: 2 }, () => pick(set)).filter(({ id }) => id === 'a');
    const ids = inTurn(pool, set, 100);
    expect(slow?.inFlight).toBe(1);
    expect(tally(ids).a ?? 0).toBe(0);
  });

  it('takes turns among equals', () => {
    const pool = poolOf(instances(4));
    const set = pool.set('least-connections');
    const rounds = Array.from({ length: 3 }, () => inTurn(pool, set, 4).join());
    expect(new Set(rounds).size).toBe(1);
    expect(new Set(rounds[0]?.split(',')).size).toBe(4);
  });

  it('starts anywhere', () => {
    const starts = Array.from({ length: 100 }, (_, seed) => {
      const pool = poolOf(instances(5), { rng: seededRng(seed) });
      return inTurn(pool, pool.set('least-connections'), 1).join();
    });
    expect(new Set(starts).size).toBe(5);
  });

  it('takes turns among equals also while the set changes with every pick', () => {
    const all = instances(5, (index) => ({ weight: index === 0 ? 1 : 2 }));
    const pool = poolOf(all);
    const set = pool.set('least-connections');
    const picked = Array.from({ length: 900 }, () => {
      pool.update([...all]);
      return inTurn(pool, set, 1).join();
    });
    expect(Object.values(tally(picked)).sort((left, right) => left - right)).toEqual([
      100, 200, 200, 200, 200,
    ]);
  });

  it('gives a newcomer what the others have', () => {
    const pool = poolOf(instances(4));
    const set = pool.set('least-connections');
    atOnce(set, 40);
    pool.update(instances(5));
    expect(tally(atOnce(set, 10))).toEqual({ 'i-004': 10 });
  });

  it.each([
    ['equal weights', () => 1],
    ['small weights', (rng: Rng) => 1 + Math.floor(rng() * 4)],
    ['any weights', (rng: Rng) => 10_000 * rng() ** 6],
  ])('always picks one of the least loaded, with %s', (_what, weightFrom) => {
    for (let seed = 1; seed <= 10; seed += 1) {
      const rng = seededRng(seed);
      const known = instances(12, () => ({ weight: weightFrom(rng) }));
      const pool = poolOf(known, { rng: seededRng(seed + 100) });
      const set = pool.set('least-connections');
      const underWay: Endpoint[] = [];
      for (let step = 0; step < 3_000; step += 1) {
        const action = rng();
        const [done] = action < 0.48 ? sample(underWay, 1, rng) : [];
        if (action > 0.99) {
          pool.update(known.filter((_, index) => index === 0 || rng() < 0.8));
        } else if (done !== undefined) {
          underWay.splice(underWay.indexOf(done), 1);
          pool.finish(done, 'ok', 1);
        } else {
          const tried = rng() < 0.8 ? [] : sample(pool.endpoints, rng() * (pool.endpoints.length - 1), rng);
          const leastLoaded = naiveLeastLoaded(pool.endpoints, tried);
          const picked = pick(set, { key: undefined, tried });
          underWay.push(picked);
          if (!leastLoaded.includes(picked)) expect.fail(`seed ${seed}, step ${step}: ${picked.id}`);
        }
        for (const endpoint of [...pool.endpoints, ...underWay]) {
          const inFlight = underWay.filter((other) => other === endpoint).length;
          if (endpoint.inFlight !== inFlight) expect.fail(`${endpoint.id} is not at ${inFlight}`);
        }
      }
    }
  });
});

/** In one scan, by floor(in flight * (heaviest weight / weight)). */
function naiveLeastLoaded(endpoints: readonly Endpoint[], tried: readonly Endpoint[]): readonly Endpoint[] {
  const heaviest = Math.max(...endpoints.map(({ instance }) => instance.weight));
  const loadOf = ({ inFlight, instance }: Endpoint): number =>
    Math.min(65_535, Math.floor(inFlight * (heaviest / instance.weight)));
  const untried = endpoints.filter((endpoint) => !tried.includes(endpoint));
  const least = Math.min(...untried.map(loadOf));
  return untried.filter((endpoint) => loadOf(endpoint) === least);
}

it('gives none of many light ones beside a heavy one far more than its share', () => {
  const pool = poolOf(instances(41, (index) => ({ weight: index === 0 ? 64 : 1 })));
  const { 'i-000': heavy = 0, ...light } = tally(inTurn(pool, pool.set('least-connections'), 10_400));
  expect(Math.max(...Object.values(light))).toBeLessThan(300); // 100 would be fair
  expect(heavy).toBeGreaterThan(4_000);
});

it('follows weights beside a heavy one that is out', () => {
  const pool = poolOf(instances(3, (index) => ({ weight: [90, 10, 10_000][index] ?? 1 })));
  const heavy = pool.endpoints[2];
  if (heavy !== undefined) pool.eject(heavy, Infinity);
  const counts = tally(inTurn(pool, pool.set('least-connections'), 1_000));
  expect(counts['i-000']).toBeGreaterThan(850);
});
