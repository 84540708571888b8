import { requireServer } from '../servers/index.ts';
import type { StoreTraits } from './chaos-store.ts';
import { dnsStore } from './dns-store.ts';
import { fileStore } from './file-store.ts';
import { kubernetesStore } from './kubernetes-store.ts';
import { registryStores } from './registry-stores.ts';

export type StoreName = keyof typeof all;

const all = {
  ...registryStores,
  kubernetes: kubernetesStore,
  dns: dnsStore,
  static: fileStore,
} as const;

export const stores: Readonly<Record<StoreName, StoreTraits>> = all;

export const storeNames = Object.keys(stores) as readonly StoreName[]; // they are its keys

/** Whether this machine has what it takes: a server for it, and addresses for the ways of consumers. */
export function canRun(name: StoreName): boolean {
  const { needs } = stores[name];
  return process.platform === 'linux' && (needs === undefined || requireServer(needs));
}
