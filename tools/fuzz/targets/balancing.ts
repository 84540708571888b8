import { ManualClock, seededRng, type ServiceFilter } from '@sd/core';
import { ConsistentHash, EndpointPool, HashRing, LoadBalancerFactory, Sticky } from '@sd/load-balancers';
import { field, goodInstances, holds, listOf, parseJson, textOf, typed } from '../oracle.ts';
import { revive } from '../revive.ts';
import type { FuzzTarget } from '../target.ts';

const { names } = new LoadBalancerFactory();

/** Options of a pool, and then whatever order of snapshots, picks and outcomes: who is picked is always one of those there. */
export const balancing: FuzzTarget = {
  name: 'balancing',
  format: 'json',
  seeds: [
    '{"strategy":"round-robin","options":{},"steps":[3,"a","ok",1,"b","error",5]}',
    '{"strategy":"ring-hash","options":{"subset":{"size":2,"client":"a"},"maxInFlight":1},"steps":[4,"a","b","c","d",0,"a"]}',
    '{"strategy":"peak-ewma","options":{"slowStart":{"windowMs":10,"requests":2},"zoneAware":true,"panicThreshold":0,"overprovisioning":2},"steps":[2,"a",9,"b","ok"],"filter":{"zone":"a"}}',
    '{"strategy":"sticky","options":{"layers":[],"zoneAware":{"by":"load","clientShare":0.5}},"steps":[9,"a","a","a",2,"a"],"weights":[0,1e4,0.001]}',
    ...names.map((strategy) =>
      JSON.stringify({ strategy, options: {}, steps: [5, 'a', 'b', 'ok', 2, 'c'], weights: [1, 0, 7] }),
    ),
  ],
  words: [
    ...names,
    'ok',
    'error',
    'overload',
    'timeout',
    'cancelled',
    'connect-failure',
    'subset',
    'slowStart',
    'zoneAware',
    'layers',
    'maxInFlight',
    'weights',
    'filter',
  ],
  testRuns: 400,
  run(input) {
    const asked = revive(parseJson(input));
    const options = field(asked, 'options');
    const weights = listOf(field(asked, 'weights'));
    typed(() => new Sticky({ keys: options as never }));
    typed(() => new ConsistentHash({ table: new HashRing(), boundedLoad: options as never }));
    const own = {
      service: 'orders',
      factory: new LoadBalancerFactory(),
      clock: new ManualClock(),
      rng: seededRng(1),
    };
    const given = typeof options === 'object' && options !== null && !Array.isArray(options) ? options : {};
    // It comes from a user without types.
    const pool = typed(() => new EndpointPool({ ...given, ...own }));
    if (pool === undefined) return;
    if (listOf(field(options, 'layers')).length > 0) return; // they do what they like
    const filter = field(asked, 'filter') as ServiceFilter | undefined;
    if (field(filter, 'predicate') !== undefined) return;
    const set = typed(() => pool.set(textOf(field(asked, 'strategy')), filter));
    if (set === undefined) return;
    const there = new Set<string>();
    for (const step of listOf(field(asked, 'steps')).slice(0, 100)) {
      if (typeof step === 'number') {
        const instances = goodInstances(Math.min(30, Math.max(0, Math.trunc(step) || 0))).map(
          (instance, index) => {
            const weight = weights[index % Math.max(1, weights.length)];
            const isWeight = typeof weight === 'number' && weight >= 0 && weight <= 10_000;
            return { ...instance, weight: isWeight ? weight : 1 };
          },
        );
        pool.update(instances);
        there.clear();
        for (const { id } of instances) there.add(id);
        continue;
      }
      const picked = set.pick({ key: textOf(step), tried: [] });
      if (picked === undefined) continue;
      holds(there.has(picked.instance.id), 'one was picked that is not there');
      pool.finish(picked, step === 'ok' ? 'ok' : 'error', 5);
      holds(picked.inFlight === 0, 'an attempt that is never over');
    }
  },
};
