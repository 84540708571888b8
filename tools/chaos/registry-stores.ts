import { ConsulServer, EtcdServer, RedisServer, ZooKeeperServer, type TestServer } from '../servers/index.ts';
import type { ChaosStore, StoreTraits } from './chaos-store.ts';
import type { Address, RegistryStoreName } from './places.ts';

const faults = { kill: true, wipe: true, freeze: true, links: true };

/** Those in which instances publish themselves. */
export const registryStores = {
  redis: store('redis', () => RedisServer.start()),
  etcd: store('etcd', () => EtcdServer.start()),
  consul: store('consul', () => ConsulServer.start()),
  zookeeper: store('zookeeper', () => ZooKeeperServer.start()),
} as const;

function store(
  name: RegistryStoreName,
  start: () => Promise<TestServer & { readonly host: string; readonly port: number }>,
): StoreTraits {
  return {
    faults,
    saysStale: true,
    start: async () => {
      const server = await start();
      return inServer(name, server, [{ host: server.host, port: server.port }]);
    },
  };
}

function inServer(store: RegistryStoreName, server: TestServer, addresses: readonly Address[]): ChaosStore {
  return {
    addresses,
    placeAt: (at) => ({ store, addresses: at }),
    kill: () => server.kill(),
    start: (options) => server.start(options),
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}
