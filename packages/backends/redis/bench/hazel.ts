import { encodeInstance, type ServiceInstance } from '@sd/core';
import { Redis } from 'ioredis-5';
import { loadPeer } from '../../../../tools/bench/peers.ts';
import { longTtl, type Contestant } from './contestants.ts';

interface HazelBackend {
  register(instance: object): Promise<void>;
  updateStatus(id: string, status: string): Promise<void>;
  deregister(id: string): Promise<void>;
  heartbeat(id: string): Promise<void>;
  getInstances(service: string): Promise<readonly unknown[]>;
}

/** The Redis backend of @hazeljs/discovery, on the ioredis that it asks for. Its heartbeats are one by one: all at once. */
export function hazel(url: string): Contestant {
  const { RedisRegistryBackend } = loadPeer('@hazeljs/discovery/dist/backends/redis-backend.js') as {
    RedisRegistryBackend: new (client: Redis, options: object) => HazelBackend;
  };
  const { DiscoveryLogger } = loadPeer('@hazeljs/discovery/dist/utils/logger.js') as {
    DiscoveryLogger: { setLogger(logger: object): void };
  };
  const ignored = (): void => undefined;
  DiscoveryLogger.setLogger({ debug: ignored, info: ignored, warn: ignored, error: ignored });
  const backend = new RedisRegistryBackend(new Redis(url), { ttl: longTtl / 1_000 });
  const ids = new Set<string>();
  return {
    register(instance) {
      ids.add(instance.id);
      return backend.register(hazelInstance(instance));
    },
    update: ({ id }) => backend.updateStatus(id, 'OUT_OF_SERVICE'),
    release({ id }) {
      ids.delete(id);
      return backend.deregister(id);
    },
    lookUp: ({ service }) => backend.getInstances(service),
    renewAll: () => Promise.all([...ids].map((id) => backend.heartbeat(id))),
    get size() {
      return ids.size;
    },
  };
}

/** A record as long as ours. */
function hazelInstance(instance: ServiceInstance): object {
  const { id, service: name, host, port, protocol, tags } = instance;
  const at = new Date(instance.registeredAt);
  const of = (filler: string): object => ({
    ...{ id, name, host, port, protocol, metadata: { filler }, tags, status: 'UP' },
    ...{ lastHeartbeat: at, registeredAt: at },
  });
  return of('x'.repeat(Math.max(0, encodeInstance(instance).length - JSON.stringify(of('')).length)));
}
