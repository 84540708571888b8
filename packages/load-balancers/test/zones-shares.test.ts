import { describe, expect, it } from 'vitest';
import { zoneShares } from '../src/layers/zones.ts';
import { inTurn, instance, pick, poolOf, tally } from './pools.ts';

const percent = (shares: readonly number[]): number[] =>
  shares.map((share) => Math.round(share * 1_000) / 10);

describe('the shares of zones', () => {
  it.each([
    ['has more than its consumers want', [4, 3, 3], [100, 0, 0]],
    ['has exactly that', [2, 2], [100, 0]],
    ['is the only one', [3], [100]],
    ['has half of it, and one other has to spare', [1, 5], [33.3, 66.7]],
    ['has less, and two others have to spare', [2, 7, 11], [30, 5, 65]],
    ['has less, and one of two others has to spare', [1, 1, 4], [50, 0, 50]],
    ['has nothing', [0, 1, 3], [0, 25, 75]],
    ['and all others have nothing', [0, 0], [0, 0]],
  ])('where the own one %s', (_what, capacities, expected) => {
    expect(percent(zoneShares(capacities))).toEqual(expected);
  });

  it.each([
    ['all', 1, [20, 35, 45]],
    ['half', 0.5, [40, 20, 40]],
    ['as many as it can bear', 0.2, [100, 0, 0]],
    ['none', 0, [100, 0, 0]],
  ])('where %s of the consumers are in the own one', (_what, clientShare, expected) => {
    expect(percent(zoneShares([4, 7, 9], clientShare))).toEqual(expected);
  });

  it('do not depend on the scale of the capacities', () => {
    expect(percent(zoneShares([0.002, 0.007, 0.011]))).toEqual(percent(zoneShares([2_000, 7_000, 11_000])));
  });

  it('sum to 1', () => {
    for (let own = 0.1; own < 20; own += 0.7) {
      for (const clientShare of [undefined, 0, 0.1, 0.4, 1]) {
        const total = zoneShares([own, 5, 1, 9], clientShare).reduce((sum, share) => sum + share);
        expect(total).toBeCloseTo(1, 12);
      }
    }
  });

  it('leave no zone with more than it can bear, when all consumers go by them', () => {
    const capacities = [10, 35, 55];
    const loads = capacities.map(() => 0);
    capacities.forEach((own, zone) => {
      const others = capacities.filter((_, place) => place !== zone);
      const [direct = 0, ...rest] = zoneShares([own, ...others]);
      const shares = [...rest.slice(0, zone), direct, ...rest.slice(zone)];
      shares.forEach((share, place) => (loads[place] = (loads[place] ?? 0) + share / 3));
    });
    loads.forEach((load, place) => expect(load * 100).toBeCloseTo(capacities[place] ?? 0, 9));
  });
});

describe('a zone whose endpoints are all ejected', () => {
  it('counts as one that is not there', () => {
    const own = [0.1, 0.7, 0.2].map((weight, index) => instance(`own-${index}`, { zone: 'own', weight }));
    const others = [1, 3].map((weight) => instance(`w${weight}`, { zone: `z${weight}`, weight }));
    const pool = poolOf([...own, ...others], { zone: 'own', panicThreshold: 0 });
    const set = pool.set('zone-aware');
    pick(set);
    for (const endpoint of pool.endpoints.slice(0, 3)) pool.eject(endpoint, 1_000);
    const counts = tally(inTurn(pool, set, 4_000));
    pool.close();
    expect(Math.abs((counts.w1 ?? 0) - 1_000)).toBeLessThan(150);
  });
});
