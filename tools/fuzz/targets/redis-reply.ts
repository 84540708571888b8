import type { Connection } from '../../../packages/backends/redis/src/connection.ts';
import { RedisStore } from '../../../packages/backends/redis/src/redis-store.ts';
import { holds, parseJson } from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';

/** What a server answers to a reading: arrays of texts and numbers, if it is Redis. */
export const redisReply: FuzzTarget = {
  name: 'redis-reply',
  format: 'json',
  seeds: ['["e:1","5000",["a","{}"],["b"],"0"]', '["e:1",-1]', '["e:1",12,[],[],1]', '[]', 'null'],
  words: ['e:1', '5000', 'NaN', '-1', 'Infinity'],
  async run(input) {
    const reply = parseJson(input);
    // A connection of which no more is needed here.
    const connection = { run: () => Promise.resolve(reply) } as unknown as Connection;
    const store = new RedisStore(connection, { prefix: 'sd:', db: 0 });
    const { version, nextExpiryMs, records } = await store.read('orders', '');
    holds(typeof version === 'string', 'a version that is no text');
    holds(nextExpiryMs === undefined || nextExpiryMs >= 0, `the next expiry is in ${nextExpiryMs} ms`);
    for (const [id, json] of records?.alive ?? [])
      holds(typeof id === 'string' && typeof json === 'string', 'no text');
  },
};
