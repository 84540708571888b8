import { EtcdBackend } from '@sd/etcd';
import { RedisBackend } from '@sd/redis';
import type { RegistryBackend } from '@sd/core';

export const storeNames = ['redis', 'etcd'] as const;
export type StoreName = (typeof storeNames)[number];

/** Where a store is, for the processes of a benchmark. */
export interface Place {
  readonly store: StoreName;
  readonly url: string;
}

/** With its defaults. */
export function backendOf({ store, url }: Place): RegistryBackend {
  return store === 'redis' ? new RedisBackend({ url }) : new EtcdBackend({ endpoints: url });
}

export const serviceNames = (count: number): readonly string[] =>
  Array.from({ length: count }, (_, place) => `service-${place}`);
