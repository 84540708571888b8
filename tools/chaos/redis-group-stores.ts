import { RedisCluster, RedisSentinel } from '../servers/index.ts';
import { badRedisEntries } from './bad-entries.ts';
import type { StoreTraits } from './chaos-store.ts';
import { inGroup } from './group-store.ts';
import { service } from './pace.ts';
import type { Address } from './places.ts';

const faults = { kill: true, wipe: true, freeze: true, links: true };

/** Three masters with a replica each. The master that has the service is the one that is killed or frozen. */
export const redisClusterStore: StoreTraits = {
  needs: 'redis',
  faults: { ...faults, formAnew: true },
  saysStale: false, // its replica takes over
  start: async () => {
    const cluster = await RedisCluster.start();
    const { nodes } = cluster;
    const master = () => cluster.masterOf(`{${service}}`);
    return inGroup(cluster, master, {
      badEntries: badRedisEntries(master),
      addresses: nodes.map(addressOf),
      placeAt: (addresses) => ({
        store: 'redis-cluster',
        nodes: addresses,
        natMap: natMap(nodes, addresses),
      }),
    });
  },
};

/** A master and its replica, which are killed, frozen and wiped, and three sentinels that are killed or frozen apart. */
export const redisSentinelStore: StoreTraits = {
  needs: 'redis',
  faults: { ...faults, sentinels: true },
  saysStale: false, // the replica takes over
  start: async () => {
    const group = await RedisSentinel.start();
    const { name, nodes, sentinels } = group;
    const servers = [...nodes, ...sentinels];
    const master = () => group.master();
    return inGroup(group, master, {
      badEntries: badRedisEntries(master),
      sentinels: { servers: sentinels, agree: master },
      addresses: servers.map(addressOf),
      placeAt: (addresses) => ({
        store: 'redis-sentinel',
        name,
        sentinels: addresses.slice(nodes.length),
        natMap: natMap(servers, addresses),
      }),
    });
  },
};

const addressOf = ({ host, port }: Address): Address => ({ host, port });

const keyOf = ({ host, port }: Address): string => `${host}:${port}`;

/** Where a process finds those that the servers tell it of. */
function natMap(
  servers: readonly Address[],
  addresses: readonly Address[],
): Readonly<Record<string, Address>> {
  return Object.fromEntries(
    servers.map((server, index) => [keyOf(server), addresses[index] ?? addressOf(server)]),
  );
}
