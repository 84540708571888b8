import { HashRing, MaglevTable } from '@sd/load-balancers';
import { describe, expect, it } from 'vitest';
import { boundedAffinity } from '../key-churn.ts';
import { keyedChurn } from '../scenarios/s6-keyed-churn.ts';
import { Simulation } from '../simulation.ts';

describe('S6', () => {
  it('moves nearly all keys of a balancer that takes the hash modulo the number of endpoints', async () => {
    const modulo = keyedChurn.contestants.find(({ name }) => name === 'modulo');
    const { figures } = { ...(await modulo?.run(1)) };
    expect(figures?.['moved by an ejection, %']).toBeGreaterThan(99);
    expect(figures?.['moved by a leave, %']).toBeGreaterThan(99);
  });

  it.each([
    ['ring-hash', () => new HashRing()],
    ['maglev', () => new MaglevTable()],
  ])('keeps nearly all calls of %s with their first owners when no key is hot', (_name, makeTable) => {
    const load = {
      endpoints: 20,
      keys: 10_000,
      exponent: 0,
      inFlight: 4_000,
      picks: 5_000,
      boundedLoad: 1.25,
    };
    const { affinity, probes, aboveBound } = boundedAffinity(new Simulation(1), makeTable, load);
    expect(affinity).toBeGreaterThan(99);
    expect(probes).toBeLessThan(1.01);
    expect(aboveBound).toBe(0);
  });

  it('knows that one key for all calls leaves little affinity', () => {
    const load = { endpoints: 20, keys: 1, exponent: 1, inFlight: 2_000, picks: 5_000, boundedLoad: 1.25 };
    const { affinity, affinityPossible } = boundedAffinity(new Simulation(1), () => new HashRing(), load);
    expect(affinityPossible).toBeCloseTo(100 * (1.25 / 20));
    expect(affinity).toBeCloseTo(affinityPossible, 0);
  });
});
