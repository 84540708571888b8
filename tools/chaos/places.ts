import type { DiscoveryBackend, RegistryBackend } from '@sd/core';
import type { RedisConnectionOptions } from '@sd/redis';
import { pace, service } from './pace.ts';

/** Where a store is, as a process that uses it is told. */
export type StorePlace =
  | { readonly store: RegistryStoreName; readonly addresses: readonly Address[] }
  | { readonly store: 'redis-cluster'; readonly nodes: readonly Address[]; readonly natMap: NatMap }
  | {
      readonly store: 'redis-sentinel';
      /** Of the master. */
      readonly name: string;
      readonly sentinels: readonly Address[];
      readonly natMap: NatMap;
    }
  | { readonly store: 'kubernetes' | 'dns'; readonly addresses: readonly Address[] }
  | { readonly store: 'static'; readonly file: string };

export type RegistryStoreName = 'redis' | 'etcd' | 'consul' | 'zookeeper';

/** Where to find the servers that others name by their own addresses. */
type NatMap = Readonly<Record<string, Address>>;

export interface Address {
  readonly host: string;
  readonly port: number;
}

export const kubernetesNamespace = 'shop';
export const kubernetesToken = 'readertoken';
export const dnsName = `_${service}._tcp.test`;

export async function openRegistry(place: StorePlace): Promise<RegistryBackend> {
  switch (place.store) {
    case 'static':
    case 'dns':
    case 'kubernetes':
      throw new Error(`Nobody registers in ${place.store}`);
    case 'redis-cluster': {
      const { nodes, natMap } = place;
      return openRedis({ cluster: { nodes, options: { natMap } } });
    }
    case 'redis-sentinel': {
      const { name, sentinels, natMap } = place;
      return openRedis({ redis: { name, sentinels: [...sentinels], natMap } });
    }
    default:
      return openStore[place.store](place.addresses);
  }
}

export async function openDiscovery(place: StorePlace): Promise<DiscoveryBackend> {
  if (place.store === 'static') {
    const { StaticBackend } = await import('@sd/static');
    return new StaticBackend({ file: place.file, pollMs: pace.pollMs });
  }
  if (place.store === 'dns') {
    const { DnsBackend } = await import('@sd/dns');
    return new DnsBackend({
      name: '_{service}._tcp.test.',
      servers: place.addresses.map(textOf),
      transport: 'tcp', // which a proxy can disturb
      minIntervalMs: 200,
      maxIntervalMs: pace.pollMs,
      timeoutMs: pace.timeoutMs,
    });
  }
  if (place.store === 'kubernetes') {
    const { KubernetesBackend } = await import('@sd/kubernetes');
    return new KubernetesBackend({
      url: `http://${place.addresses.map(textOf)[0] ?? ''}`,
      namespace: kubernetesNamespace,
      token: kubernetesToken,
      timeoutMs: pace.timeoutMs,
      idleMs: 1.5 * pace.timeoutMs, // three bookmarks; after it the server is asked, for as long as the timeout
    });
  }
  return openRegistry(place);
}

const openStore: Readonly<
  Record<RegistryStoreName, (addresses: readonly Address[]) => Promise<RegistryBackend>>
> = {
  redis: ([at]) => openRedis({ url: `redis://${at === undefined ? '' : textOf(at)}` }),
  etcd: async (addresses) => {
    const { EtcdBackend } = await import('@sd/etcd');
    const endpoints = addresses.map((address) => `http://${textOf(address)}`);
    return new EtcdBackend({ endpoints, timeoutMs: pace.timeoutMs });
  },
  consul: async ([at]) => {
    const { ConsulBackend } = await import('@sd/consul');
    const url = `http://${at === undefined ? '' : textOf(at)}`;
    const { timeoutMs, pollMs } = pace;
    return new ConsulBackend({ url, timeoutMs, pollMs, waitMs: 1_000 });
  },
  zookeeper: async (addresses) => {
    const { ZooKeeperBackend } = await import('@sd/zookeeper');
    const connectionString = addresses.map(textOf).join(',');
    return new ZooKeeperBackend({ connectionString, timeoutMs: pace.timeoutMs });
  },
};

async function openRedis(which: RedisConnectionOptions): Promise<RegistryBackend> {
  const { RedisBackend } = await import('@sd/redis');
  return new RedisBackend({ ...which, timeoutMs: pace.timeoutMs, pollMs: pace.pollMs });
}

const textOf = ({ host, port }: Address): string => `${host}:${port}`;
