import { createInstance, type Lease } from '@sd/core';
import { silentLogger } from '@sd/testkit';
import { ZooKeeperBackend } from '@sd/zookeeper';
import { until } from '../servers/until.ts';
import type { ConsulServer, EtcdServer, RedisServer } from '../servers/index.ts';
import { pace, service } from './pace.ts';
import type { Address } from './places.ts';

/** Entries of the service that somebody else wrote, and that cannot be read as an instance. */
export interface BadEntries {
  /** Resolves when the store has it. */
  write(key: string): Promise<void>;
  /** Resolves when the store no longer has it, or loses it by itself within the ttl. Idempotent. */
  remove(key: string): Promise<void>;
}

/** Both wait for a store that is away. */
export function patient(entries: BadEntries): BadEntries {
  const persist = async (work: () => Promise<void>): Promise<void> => {
    await until('the store has taken it', () => work().then(() => true));
  };
  return {
    write: (key) => persist(() => entries.write(key)),
    remove: (key) => persist(() => entries.remove(key)),
  };
}

/** JSON that breaks off. */
const text = '{ "service": ';

/** @param master whoever has the keys of the service now */
export function badRedisEntries(master: () => Promise<RedisServer>): BadEntries {
  const keyOf = (part: string): string => `sd:{${service}}:${part}`;
  return {
    async write(key) {
      const server = await master();
      await server.command('HSET', keyOf('instances'), key, text);
      await server.command('ZADD', keyOf('expiries'), Date.now() + lifeMs, key);
      // Who watches is told in a way that it cannot read either, and looks.
      await server.command('PUBLISH', keyOf('changes'), text);
    },
    async remove(key) {
      const server = await master();
      await server.command('HDEL', keyOf('instances'), key);
      await server.command('ZREM', keyOf('expiries'), key);
    },
  };
}

/** Longer than any run. */
const lifeMs = 3_600_000;

export function badEtcdEntries(nodes: readonly EtcdServer[]): BadEntries {
  const up = (): EtcdServer => {
    const node = nodes.find(({ isUp }) => isUp);
    if (node === undefined) throw new Error('No member is up');
    return node;
  };
  const keyOf = (key: string): string => `/sd/${service}/${key}`;
  return {
    write: async (key) => up().put(keyOf(key), text),
    remove: async (key) => up().delete(keyOf(key)),
  };
}

/** A service without a port. */
export function badConsulEntries(server: ConsulServer): BadEntries {
  return {
    async write(key) {
      await server.command('PUT', 'agent/service/register', { Name: service, ID: key });
    },
    async remove(key) {
      const known = await server.listed('services');
      if (known.has(key)) await server.command('PUT', `agent/service/deregister/${key}`);
    },
  };
}

/** Nodes of a client that writes something else into them than all others. */
export function badZooKeeperEntries(servers: readonly Address[]): BadEntries {
  const connectionString = servers.map(({ host, port }) => `${host}:${port}`).join();
  const codec = { encode: () => text, decode: () => ({ problem: 'it is not for reading' }) };
  const written = new Map<string, { readonly lease: Lease; readonly backend: ZooKeeperBackend }>();
  return {
    async write(key) {
      const { timeoutMs, ttlMs: ttl } = pace;
      const backend = new ZooKeeperBackend({ connectionString, timeoutMs, codec, logger: silentLogger });
      try {
        const instance = createInstance({ service, id: key, host: '127.0.0.1', port: 1 }, 0);
        written.set(key, { lease: await backend.register(instance, { ttl }), backend });
      } catch (error) {
        await backend.close();
        throw error;
      }
    },
    async remove(key) {
      const { lease, backend } = written.get(key) ?? {};
      // One that is away does not hear of it; it loses the entry with the session, which nobody keeps any more.
      await lease?.release().catch(() => undefined);
      await backend?.close();
      written.delete(key);
    },
  };
}
