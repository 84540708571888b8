import { systemClock } from '@sd/core';
import { CustomSource } from '../../../packages/backends/dns/src/custom-source.ts';
import type { DnsResolver } from '../../../packages/backends/dns/src/dns-options.ts';
import { Members } from '../../../packages/backends/dns/src/members.ts';
import { ServiceLookup } from '../../../packages/backends/dns/src/service-lookup.ts';
import {
  areInstances,
  field,
  holds,
  listOf,
  newMalformed,
  parseJson,
  reportIsBounded,
  typedLater,
} from '../oracle.ts';
import { revive } from '../revive.ts';
import type { FuzzTarget } from '../target.ts';

/** Records as a resolver of the user gives them, which keeps to no types, and the instances that they mean. */
export const dnsRecords: FuzzTarget = {
  name: 'dns-records',
  format: 'json',
  seeds: [
    '{"srv":[{"name":"a.example","port":80,"priority":1,"weight":5},{"name":"b.example","port":81,"priority":70000,"weight":65535}],"a":["10.0.0.1",{"address":"10.0.0.2","ttl":30}]}',
    '{"srv":[{"name":".","port":0,"priority":0,"weight":0}],"a":[]}',
    '{"srv":null,"a":[{"address":"::1","ttl":"$infinity"}]}',
    '{"srv":[{"name":"x y","port":1},{"name":"b","port":"$nan","weight":1e300,"ttl":-1}],"a":"$undefined"}',
  ],
  words: ['name', 'port', 'priority', 'weight', 'ttl', 'address', '.', '10.0.0.1', '::1', 'a.example'],
  testRuns: 150,
  async run(input) {
    const given = revive(parseJson(input));
    const [srv, a] = [field(given, 'srv'), field(given, 'a')];
    const good = [1, 2, 3].map((n) => ({ name: `good-${n}.example`, port: 8080, priority: 1, weight: 100 }));
    const isGood = (name: string): boolean => /^good-\d\.example\.?$/.test(name);
    const resolver = {
      resolveSrv: () => Promise.resolve(Array.isArray(srv) ? [...good, ...listOf(srv)] : srv),
      resolve4: (name: string) => Promise.resolve(isGood(name) ? [`10.9.9.${name.charAt(5)}`] : a),
      resolve6: () => Promise.resolve([]),
    };
    const malformed = newMalformed();
    // It keeps to no types, which is the point.
    const source = new CustomSource(resolver as unknown as DnsResolver, 1_000, systemClock);
    const name = '_{service}._tcp.example.com';
    const signal = new AbortController().signal;
    for (const type of ['SRV', 'A'] as const) {
      const lookup = new ServiceLookup({
        source,
        clock: systemClock,
        timeoutMs: 1_000,
        malformed,
        name,
        type,
        ...(type === 'A' ? { port: 80 } : {}),
      });
      const found = await typedLater(() => lookup.find('orders', signal));
      if (found === undefined) {
        holds(type === 'A' || !Array.isArray(srv), 'one record costs all');
        continue;
      }
      areInstances(found.instances, 'orders');
      holds(found.ttlMs === undefined || found.ttlMs >= 0, `an answer that is good for ${found.ttlMs} ms`);
      const members = new Members(2);
      members.see(found);
      areInstances(members.instances, 'orders');
      if (type === 'A' || !Array.isArray(srv)) continue;
      const there = found.instances.filter(({ metadata }) => isGood(metadata['target'] ?? ''));
      holds(there.length >= 3, 'a good target is lost');
      holds(
        there.every(({ weight }) => weight > 0),
        'a good target is without weight',
      );
    }
    reportIsBounded(malformed);
  },
};
