import {
  ConsistentHash,
  HashRing,
  MaglevTable,
  type Endpoint,
  type KeyTable,
  type PickRequest,
  type Strategy,
} from '@sd/load-balancers';
import { boundedAffinity, churn, type SkewedLoad } from '../key-churn.ts';
import type { Contestant, Scenario, ScenarioResult } from '../scenario.ts';
import { Simulation } from '../simulation.ts';

/**
 * Where keys go when members come and go, and what a bound on the load leaves of affinity.
 *
 * How skewed keys are decides the second: 100 keys for each endpoint, and Zipf's law with exponent 0.8, the upper end
 * of what Breslau and others found in traces of web proxies (0.64 to 0.83: "Web Caching and Zipf-like Distributions",
 * 1999), with 10 attempts in flight for each endpoint. The bound is rounded up, as in its definition, so that the peak
 * comes to 1.35x. With 2 in flight for each, chance alone fills many endpoints up to their bound of 3: then affinity is
 * 55 %, with 2.1 probes.
 *
 * Figures named `hot` are of ten keys for each endpoint and exponent 1. They have no target: the hottest key alone is a
 * tenth of all calls, 80 times what an endpoint may bear, so that no balancer within the bound could keep more than
 * about 53 % of calls at their key's first owner.
 */
export const keyedChurn: Scenario = {
  id: 'S6',
  title: 'keyed calls on 1,000 endpoints: one is ejected, one leaves, keys are unequally hot',
  target:
    'an ejection moves no other key; with boundedLoad 1.25 nobody above that (rounded up), affinity >= 65 %, <= 2 probes',
  contestants: [
    contestant('ring-hash', () => new HashRing()),
    contestant('maglev', () => new MaglevTable()),
    { name: 'modulo', isOurs: false, run: runModulo },
  ],
};

const endpoints = 1_000;
const churnedKeys = 50_000;
const usual: SkewedLoad = {
  endpoints,
  keys: 100_000,
  exponent: 0.8,
  inFlight: 10_000,
  picks: 20_000,
  boundedLoad: 1.25,
};
const hot: SkewedLoad = { ...usual, keys: 10_000, exponent: 1, picks: 10_000 };

function contestant(name: string, makeTable: () => KeyTable): Contestant {
  return { name, isOurs: true, run: (seed) => run(makeTable, seed) };
}

function run(makeTable: () => KeyTable, seed: number): ScenarioResult {
  const simulation = new Simulation(seed);
  const { movedByEjection, astray, movedByLeaving } = churn(
    simulation,
    ({ rng }) => new ConsistentHash({ table: makeTable(), rng }),
    endpoints,
    churnedKeys,
  );
  const bounded = boundedAffinity(simulation, makeTable, usual);
  const boundedHot = boundedAffinity(new Simulation(seed), makeTable, hot);
  const missed = [
    ...(movedByEjection === 0 ? [] : [`an ejection moved ${movedByEjection.toFixed(3)} % of the other keys`]),
    ...(astray === 0 ? [] : [`${astray.toFixed(3)} % of the keys did not come back`]),
    ...(bounded.aboveBound === 0 ? [] : [`${bounded.aboveBound} picks above the bound`]),
    ...(bounded.affinity >= 65 ? [] : [`affinity ${bounded.affinity.toFixed(1)} %`]),
    ...(bounded.probes <= 2 ? [] : [`${bounded.probes.toFixed(2)} probes`]),
  ];
  return {
    figures: {
      'moved by an ejection, %': movedByEjection,
      'astray after it, %': astray,
      'moved by a leave, %': movedByLeaving,
      'peak, x fair': bounded.peak,
      'above the bound': bounded.aboveBound,
      'affinity, %': bounded.affinity,
      'affinity possible, %': bounded.affinityPossible,
      probes: bounded.probes,
      'hot: above the bound': boundedHot.aboveBound,
      'hot: affinity, %': boundedHot.affinity,
      'hot: affinity possible, %': boundedHot.affinityPossible,
      'hot: probes': boundedHot.probes,
    },
    missed,
  };
}

function runModulo(seed: number): ScenarioResult {
  const moved = churn(new Simulation(seed), () => new Modulo(), endpoints, churnedKeys);
  return {
    figures: {
      'moved by an ejection, %': moved.movedByEjection,
      'astray after it, %': moved.astray,
      'moved by a leave, %': moved.movedByLeaving,
    },
    missed: [`an ejection moved ${moved.movedByEjection.toFixed(1)} % of the other keys`],
  };
}

/** The key's hash modulo the number of endpoints that take requests, as balancers written by hand do. */
class Modulo implements Strategy {
  #endpoints: readonly Endpoint[] = [];

  update(list: readonly Endpoint[]): void {
    this.#endpoints = list;
  }

  pick({ key = '' }: PickRequest): Endpoint | undefined {
    let hash = 0;
    for (let index = 0; index < key.length; index += 1) {
      hash = (Math.imul(hash, 31) + key.charCodeAt(index)) >>> 0;
    }
    return this.#endpoints[hash % this.#endpoints.length];
  }
}
