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
import type { Address, RegistryStoreName } from './places.ts';

const faults = { kill: true, wipe: true, freeze: true, links: true };

/** Those in which instances publish themselves. */
export const registryStores = {
  redis: store('redis', () => RedisServer.start()),
  etcd: store('etcd', () => EtcdServer.start()),
  consul: store('consul', () => ConsulServer.start()),
  zookeeper: store('zookeeper', () => ZooKeeperServer.start()),
  'etcd-cluster': cluster('etcd', () => EtcdCluster.start()),
  'zookeeper-ensemble': cluster('zookeeper', () => ZooKeeperEnsemble.start()),
} as const;

function store(
  name: RegistryStoreName,
  start: () => Promise<TestServer & { readonly host: string; readonly port: number }>,
): StoreTraits {
  return {
    needs: name,
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

interface Cluster extends TestServer {
  readonly nodes: readonly (TestServer & Address)[];
  leader(): Promise<TestServer>;
}

/** Of several servers, of which the leader is killed or frozen; only to lose the data all of them are. */
function cluster(name: 'etcd' | 'zookeeper', start: () => Promise<Cluster>): StoreTraits {
  return {
    needs: name,
    faults,
    saysStale: false, // another one takes over
    start: async () => {
      const servers = await start();
      let leader = await servers.leader();
      const whole = inServer(
        name,
        servers,
        servers.nodes.map(({ host, port }) => ({ host, port })),
      );
      return {
        ...whole,
        async kill() {
          leader = await servers.leader();
          await leader.kill();
        },
        async start({ keepData }) {
          if (keepData) return leader.start();
          await servers.kill();
          await servers.start({ keepData });
        },
        async freeze() {
          leader = await servers.leader();
          leader.freeze();
        },
        thaw: () => leader.thaw(),
      };
    },
  };
}
