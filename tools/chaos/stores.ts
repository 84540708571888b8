import { requireServer } from '../servers/index.ts';
import type { StoreTraits } from './chaos-store.ts';
import { registryStores } from './registry-stores.ts';

export type StoreName = keyof typeof stores;

export const stores = { ...registryStores } as const satisfies Record<string, StoreTraits>;

export const storeNames = Object.keys(stores) as readonly StoreName[]; // they are its keys

/** Whether this machine has what it takes. */
export function canRun(name: StoreName): boolean {
  return requireServer(name);
}
