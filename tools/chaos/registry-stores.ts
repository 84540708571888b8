import {
  ConsulServer,
  EtcdCluster,
  EtcdServer,
  RedisServer,
  ZooKeeperEnsemble,
  ZooKeeperServer,
  type TestServer,
} from '../servers/index.ts';
import type { ChaosStore, StoreTraits } from './chaos-store.ts';
import { inGroup, type Group } from './group-store.ts';
import type { Address, RegistryStoreName } from './places.ts';
import { redisClusterStore, redisSentinelStore } from './redis-group-stores.ts';

const faults = { kill: true, wipe: true, freeze: true, links: true };

/** Those in which instances publish themselves. */
export const registryStores = {
  redis: store('redis', () => RedisServer.start()),
  etcd: store('etcd', () => EtcdServer.start()),
  consul: store('consul', () => ConsulServer.start()),
  zookeeper: store('zookeeper', () => ZooKeeperServer.start()),
  'redis-cluster': redisClusterStore,
  'redis-sentinel': redisSentinelStore,
  'etcd-cluster': cluster('etcd', () => EtcdCluster.start()),
  'zookeeper-ensemble': cluster('zookeeper', () => ZooKeeperEnsemble.start()),
} as const;

function store(name: RegistryStoreName, start: () => Promise<TestServer & Address>): StoreTraits {
  return {
    needs: name,
    faults,
    saysStale: true,
    start: async () => {
      return inServer(name, await start());
    },
  };
}

function inServer(store: RegistryStoreName, server: TestServer & Address): ChaosStore {
  return {
    addresses: [{ host: server.host, port: server.port }],
    placeAt: (addresses) => ({ store, addresses }),
    kill: () => server.kill(),
    start: (options) => server.start(options),
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

interface Cluster extends Group {
  readonly nodes: readonly Address[];
  leader(): Promise<TestServer>;
}

/** Of several servers, any of which serves. */
function cluster(name: 'etcd' | 'zookeeper', start: () => Promise<Cluster>): StoreTraits {
  return {
    needs: name,
    faults,
    saysStale: false, // another one takes over
    start: async () => {
      const servers = await start();
      return inGroup(servers, () => servers.leader(), {
        addresses: servers.nodes.map(({ host, port }) => ({ host, port })),
        placeAt: (addresses) => ({ store: name, addresses }),
      });
    },
  };
}
