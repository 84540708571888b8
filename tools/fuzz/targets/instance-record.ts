import { encodeInstance, maxRecordLength, parseInstance, sameInstance } from '@sd/core';
import { areInstances, holds, parseJson } from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';

/** The record of an instance, as all stores but a few have it. */
export const instanceRecord: FuzzTarget = {
  name: 'instance-record',
  format: 'json',
  seeds: [
    '{"service":"orders","host":"10.0.0.1","port":8080}',
    '{"service":"orders","id":"orders-10.0.0.1-8080","host":"10.0.0.1","port":8080,"protocol":"https","version":"1.2.3","region":"eu","zone":"eu-1","weight":2.5,"priority":1,"tags":["a","b"],"metadata":{"shard":"3","constructor":"x"},"status":"degraded","registeredAt":1,"updatedAt":2,"novel":{"deep":[1,{"__proto__":{"polluted":1}}]}}',
    '{"service":"orders","host":"fe80::1%eth0","port":1}',
    '{"service":"orders","host":"::1","port":65535,"__proto__":{"polluted":true}}',
  ],
  words: [
    'orders',
    'healthy',
    'draining',
    '::1',
    '1.2.3.4',
    'xn--a',
    'service',
    'host',
    'port',
    'metadata',
    'tags',
  ],
  run(input) {
    const text = input.toString();
    const expected = { service: 'orders' };
    for (const record of [text, parseJson(input)]) {
      const { instance, problem } = parseInstance(record, expected);
      if (instance === undefined) {
        holds(problem.length > 0 && problem.length <= 1_000, `a problem of ${problem.length} characters`);
        continue;
      }
      areInstances([instance], 'orders');
      if (text.length > maxRecordLength / 8) continue; // with what is escaped it may be too long to be written
      const { instance: again } = parseInstance(encodeInstance(instance), {
        service: 'orders',
        id: instance.id,
      });
      holds(again !== undefined && sameInstance(instance, again), 'written and read it is another');
    }
  },
};
