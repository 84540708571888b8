import { isSetBack, parseDelta } from '../../../packages/backends/redis/src/delta.ts';
import { parseRecords } from '../../../packages/backends/redis/src/records.ts';
import {
  areInstances,
  goodAreThere,
  goodInstances,
  holds,
  newMalformed,
  reportIsBounded,
} from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';

const record = JSON.stringify({ service: 'orders', id: 'a', host: '10.0.0.1', port: 80 });

/** What is published on the channel of a service, by anybody. */
export const redisRecords: FuzzTarget = {
  name: 'redis-records',
  format: 'json',
  seeds: [
    JSON.stringify(['e:1', 'e:2', ['a', record], [], 10_000]),
    JSON.stringify(['e:1', 'e:2', {}, ['a', 'b'], -1]),
    JSON.stringify(['', ':', ['a', record, 'b', '{}'], {}]),
  ],
  words: ['e:1', 'e:2', 'e:', ':', 'a', record, '__proto__'],
  run(input) {
    const delta = parseDelta(input.toString());
    if (delta === undefined) return;
    const { before, version, set, removed, ttl } = delta;
    holds(!Number.isNaN(ttl), 'a time to live that is no number');
    holds(set.size + removed.length <= input.length, 'more than was sent');
    isSetBack(before, version);
    holds(!isSetBack(version, version), 'a version before itself');
    const malformed = newMalformed();
    const good = goodInstances(3);
    const alive = new Map([...set, ...good.map((each) => [each.id, JSON.stringify(each)] as const)]);
    const found = parseRecords('orders', { alive, strays: removed }, malformed);
    areInstances(found.values(), 'orders');
    goodAreThere(found.values(), good);
    for (const [id, instance] of found) holds(instance.id === id, 'an instance under the id of another');
    const unread = [...alive.keys()].filter((id) => !found.has(id));
    holds(malformed.count <= unread.length + removed.length, 'more is reported than was unreadable');
    holds(unread.length === 0 || malformed.count > 0, 'what was skipped is not reported');
    reportIsBounded(malformed);
  },
};
