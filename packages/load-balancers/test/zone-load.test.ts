import { ManualClock } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { balanceZones, ZoneLoad } from '../src/layers/zone-load.ts';
import { instance, pick, poolOf } from './pools.ts';

/** Loads with these shares, after `steps` in which each zone answers as late as given. */
function balanced(shares: readonly number[], costs: readonly number[], steps: number, own = 0): number[] {
  const loads = shares.map((share) => Object.assign(new ZoneLoad(), { share }));
  for (let step = 0; step < steps; step += 1) {
    loads.forEach((load, place) => {
      for (let answers = 0; answers < 50; answers += 1) load.observe('ok', costs[place] ?? 0);
    });
    balanceZones(loads, own);
  }
  return loads.map(({ share }) => share);
}

describe('zones by load', () => {
  it('move shares from the zone that answers late, a little each time', () => {
    const [own = 0, other = 0] = balanced([0.9, 0.1], [100, 20], 1);
    expect(own).toBeLessThan(0.9);
    expect(own).toBeGreaterThan(0.8);
    expect(own + other).toBeCloseTo(1, 1);
  });

  it('leave next to nothing in a zone that stays slow', () => {
    const [own = 0, other = 0] = balanced([1, 0], [200, 20], 100);
    expect(own).toBeLessThan(0.01);
    expect(other).toBeGreaterThan(0.99);
  });

  it('prefer the own zone while all answer alike, or it a little later', () => {
    expect(balanced([0.3, 0.3, 0.4], [20, 20, 20], 200)[0]).toBeGreaterThan(0.98);
    expect(balanced([0.3, 0.3, 0.4], [22, 20, 20], 400)[0]).toBeGreaterThan(0.9);
  });

  it('share between the others by their latency too', () => {
    const [, slow = 0, fast = 0] = balanced([0.4, 0.3, 0.3], [200, 60, 20], 60);
    expect(fast).toBeGreaterThan(10 * slow);
  });

  it('count a failure as a second', () => {
    const load = new ZoneLoad();
    load.observe('overload', 1);
    expect(load.cost).toBe(1_000);
  });

  it('do not count what was cancelled', () => {
    const load = new ZoneLoad();
    load.observe('cancelled', 90_000);
    expect(load.cost).toBe(0);
  });

  it.each([
    ['nothing was measured', [0, 0], 0],
    ['the own zone has nobody', [50, 10], -1],
  ])('stay as they are while %s', (_why, costs, own) => {
    const loads = [0.5, 0.5].map((share) => Object.assign(new ZoneLoad(), { share }));
    loads.forEach((load, place) => {
      const cost = costs[place] ?? 0;
      if (cost > 0) load.observe('ok', cost);
    });
    balanceZones(loads, own);
    expect(loads.map(({ share }) => share)).toEqual([0.5, 0.5]);
  });
});

describe('a pool with zones by load', () => {
  it('starts from capacity, and sheds what its own zone cannot bear', async () => {
    const clock = new ManualClock();
    const zones = ['own', 'own', 'other', 'other'].map((zone, index) =>
      instance(`${zone}-${index}`, { zone }),
    );
    const pool = poolOf(zones, { zone: 'own', zoneAware: { by: 'load' }, clock });
    const set = pool.set('round-robin');
    const sentAbroad = async (calls: number): Promise<number> => {
      let abroad = 0;
      for (let call = 0; call < calls; call += 1) {
        const endpoint = pick(set);
        const isAbroad = endpoint.instance.zone === 'other';
        if (isAbroad) abroad += 1;
        await clock.advance(10);
        pool.finish(endpoint, 'ok', isAbroad ? 10 : 80);
      }
      return abroad / calls;
    };
    expect(await sentAbroad(40)).toBe(0);
    await sentAbroad(5_000);
    expect(await sentAbroad(500)).toBeGreaterThan(0.9);
    expect(set.explain().groups.map(({ zone }) => zone)).toEqual(['own', 'other']);
  });
});
