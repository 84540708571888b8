import type { ServiceClient, ServiceClientDefaults } from '@sd/client';
import type { DiscoveryClient } from '@sd/discovery';

/** Where values come from: an app. */
export interface Source {
  readonly discovery: DiscoveryClient;
  client(service: string, options: ServiceClientDefaults): ServiceClient;
}

/** What a place in a class is to be given. */
export type Wish<V> = (source: Source) => V;

/**
 * Initializers of fields get no arguments, so this is how they learn for whom they run. It is set only while a constructor
 * runs, which nothing can interrupt, so apps do not see each other.
 */
let current: Source | undefined;

/** Runs a constructor; it may run others, also for another app. */
export function constructFor<T>(source: Source, construct: () => T): T {
  const outer = current;
  current = source;
  try {
    return construct();
  } finally {
    current = outer;
  }
}

/** Undefined outside of a constructor that an app runs. */
export function currentSource(): Source | undefined {
  return current;
}
