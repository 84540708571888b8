import {
  ConsulServer,
  EtcdCluster,
  EtcdServer,
  RedisServer,
  ZooKeeperEnsemble,
  ZooKeeperServer,
  type TestServer,
} from '../servers/index.ts';
import {
  badConsulEntries,
  badEtcdEntries,
  badRedisEntries,
  badZooKeeperEntries,
  type BadEntries,
} from './bad-entries.ts';
import type { ChaosStore, StoreTraits } from './chaos-store.ts';
import { inGroup, type Group } from './group-store.ts';
import type { Address, RegistryStoreName } from './places.ts';
import { redisClusterStore, redisSentinelStore } from './redis-group-stores.ts';

const faults = { kill: true, wipe: true, freeze: true, links: true };

/** Those in which instances publish themselves. */
export const registryStores = {
  redis: store(
    'redis',
    () => RedisServer.start(),
    (server) => badRedisEntries(async () => server),
  ),
  etcd: store(
    'etcd',
    () => EtcdServer.start(),
    (server) => badEtcdEntries([server]),
  ),
  consul: store('consul', () => ConsulServer.start(), badConsulEntries),
  zookeeper: store(
    'zookeeper',
    () => ZooKeeperServer.start(),
    (server) => badZooKeeperEntries([server]),
  ),
  'redis-cluster': redisClusterStore,
  'redis-sentinel': redisSentinelStore,
  'etcd-cluster': cluster('etcd', () => EtcdCluster.start(), badEtcdEntries),
  'zookeeper-ensemble': cluster(
    'zookeeper',
    // In ticks of 100 ms: a leader that stands still alone is soon given up.
    () => ZooKeeperEnsemble.start({ config: ['syncLimit=20'] }),
    badZooKeeperEntries,
  ),
} as const;

function store<Server extends TestServer & Address>(
  name: RegistryStoreName,
  start: () => Promise<Server>,
  badEntriesIn: (server: Server) => BadEntries,
): StoreTraits {
  return {
    needs: name,
    faults,
    saysStale: true,
    start: async () => {
      const server = await start();
      return inServer(name, server, badEntriesIn(server));
    },
  };
}

function inServer(
  store: RegistryStoreName,
  server: TestServer & Address,
  badEntries: BadEntries,
): ChaosStore {
  return {
    badEntries,
    addresses: [{ host: server.host, port: server.port }],
    placeAt: (addresses) => ({ store, addresses }),
    kill: () => server.kill(),
    start: (options) => server.start(options),
    freeze: () => server.freeze(),
    thaw: () => server.thaw(),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

interface Cluster<Node extends Address> extends Group {
  readonly nodes: readonly Node[];
  leader(): Promise<TestServer>;
}

/** Of several servers, any of which serves. */
function cluster<Node extends Address>(
  name: 'etcd' | 'zookeeper',
  start: () => Promise<Cluster<Node>>,
  badEntriesIn: (nodes: readonly Node[]) => BadEntries,
): StoreTraits {
  return {
    needs: name,
    faults,
    saysStale: false, // another one takes over
    start: async () => {
      const servers = await start();
      return inGroup(servers, () => servers.leader(), {
        addresses: servers.nodes.map(({ host, port }) => ({ host, port })),
        placeAt: (addresses) => ({ store: name, addresses }),
        badEntries: badEntriesIn(servers.nodes),
      });
    },
  };
}
