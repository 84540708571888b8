import { seededRng, type Clock, type RegistryBackend } from '@sd/core';
import { ConsulBackend } from '@sd/consul';
import { EtcdBackend } from '@sd/etcd';
import { RedisBackend } from '@sd/redis';
import { silentLogger } from '@sd/testkit';
import { ZooKeeperBackend } from '@sd/zookeeper';
import { ConsulServer, EtcdServer, RedisServer, ZooKeeperServer } from '../../servers/index.ts';

/** A real server, and its backend, to be connected by a wire. */
export interface WireStore {
  readonly name: 'redis' | 'etcd' | 'consul' | 'zookeeper';
  /** One server for all runs. It ends with the process. */
  readonly server: () => Promise<{ readonly port: number }>;
  readonly open: (port: number, options: OpenOptions) => RegistryBackend;
}

interface OpenOptions {
  readonly timeoutMs: number;
  readonly clock: Clock;
}

const common = { logger: silentLogger, rng: seededRng(1) };

export const wireStores: readonly WireStore[] = [
  {
    name: 'redis',
    server: once(() => RedisServer.start({ persistent: false })),
    open: (port, options) =>
      new RedisBackend({ url: `redis://127.0.0.1:${port}`, pollMs: 500, ...common, ...options }),
  },
  {
    name: 'etcd',
    server: once(() => EtcdServer.start()),
    open: (port, options) =>
      new EtcdBackend({ endpoints: `http://127.0.0.1:${port}`, ...common, ...options }),
  },
  {
    name: 'consul',
    server: once(() => ConsulServer.start({ persistent: false })),
    open: (port, options) =>
      new ConsulBackend({
        url: `http://127.0.0.1:${port}`,
        waitMs: 1_000,
        pollMs: 500,
        ...common,
        ...options,
      }),
  },
  {
    name: 'zookeeper',
    server: once(() => ZooKeeperServer.start()),
    open: (port, options) =>
      new ZooKeeperBackend({ connectionString: `127.0.0.1:${port}`, ...common, ...options }),
  },
];

function once<T>(start: () => Promise<T>): () => Promise<T> {
  let started: Promise<T> | undefined;
  return () => (started ??= start());
}
