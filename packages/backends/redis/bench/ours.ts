import type { Lease } from '@sd/core';
import { RedisBackend } from '@sd/redis';
import { longTtl, type Contestant } from './contestants.ts';
import { roundClock } from './round-clock.ts';

/** `RedisBackend` as it is shipped; `renewAll()` is one round of its renewals. */
export function ours(url: string): Contestant {
  const clock = roundClock();
  const backend = new RedisBackend({ url, clock });
  const leases = new Map<string, Lease>();
  return {
    async register(instance) {
      leases.set(instance.id, await backend.register(instance, { ttl: longTtl }));
    },
    update: async (instance) => leases.get(instance.id)?.update({ ...instance, weight: 2 }),
    async release({ id }) {
      await leases.get(id)?.release();
      leases.delete(id);
    },
    lookUp: ({ service }) => backend.getInstances(service),
    async renewAll() {
      clock.round();
      await backend.getInstances('nobody'); // goes over the same connection, so its answer comes last
    },
    get size() {
      return leases.size;
    },
  };
}
