import { compileServiceFilter, type ServiceFilter } from '@sd/core';
import { field, goodInstances, holds, parseJson, typed } from '../oracle.ts';
import { revive } from '../revive.ts';
import type { FuzzTarget } from '../target.ts';

/** A filter is refused or works: the same each time, on whatever instances there are. */
export const serviceFilterTarget: FuzzTarget = {
  name: 'service-filter',
  format: 'json',
  seeds: [
    '{}',
    '{"zone":"a","region":["b","c"],"protocol":"http","tags":["x"],"metadata":{"k":"v"},"status":"healthy","version":"^1.2.0"}',
    '{"status":["healthy","degraded"],"version":">=1 <2 || 3.x","predicate":"$true"}',
    '{"metadata":{"constructor":"$undefined"},"zone":"$symbol"}',
  ],
  words: [
    'zone',
    'region',
    'protocol',
    'tags',
    'metadata',
    'status',
    'version',
    'predicate',
    '$true',
    '^1',
    '||',
    ' - ',
    '*',
    'x',
  ],
  run(input) {
    const filter = revive(parseJson(input), new Map([['$true', () => () => true]]));
    // It comes from a user without types.
    const predicate = typed(() => compileServiceFilter(filter as ServiceFilter));
    if (predicate === undefined) return;
    if (
      typeof field(filter, 'predicate') === 'function' &&
      field(filter, 'predicate')?.toString() !== '() => true'
    )
      return;
    for (const instance of instances) {
      const fits = predicate(instance);
      holds(typeof fits === 'boolean' && fits === predicate(instance), 'it does not say yes or no');
    }
  },
};

const instances = [
  ...goodInstances(2),
  { ...goodInstances(1)[0]!, version: '1.2.3', zone: 'a', region: 'b', tags: ['x'], metadata: { k: 'v' } }, // it has one
  { ...goodInstances(1)[0]!, version: 'x'.repeat(128), metadata: {} }, // it has one
];
