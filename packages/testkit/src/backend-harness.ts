import type { DiscoveryBackend, RegistryBackend, ServiceInstance } from '@sd/core';
import type { TestTime } from './test-time.ts';

/**
 * A store with nothing in it, for one case, and the means to work on it.
 * What an optional member would do, the store cannot do: cases that need it are skipped, and say so.
 */
export type BackendHarness = RegistryHarness | ReadOnlyHarness;

/** For a backend that instances register in. */
export interface RegistryHarness extends StoreHarness<RegistryBackend> {
  /** T: the time to live that cases register with, in milliseconds. Short where time is real, e.g. 1,000. */
  readonly ttl: number;
  /** Removes an instance behind the back of its provider. */
  deleteAsStranger?(service: string, id: string): Promise<void>;
}

/** For a backend that only reads (DNS, static, Kubernetes): the harness changes the store by other means. */
export interface ReadOnlyHarness extends StoreHarness<DiscoveryBackend> {
  /** Adds the instance or puts it in the place of the one with its id. Resolves when the store has it. */
  publish(instance: ServiceInstance): Promise<void>;
  /** Resolves when the store no longer has it. */
  withdraw(service: string, id: string): Promise<void>;
}

interface StoreHarness<B extends DiscoveryBackend> {
  readonly time: TestTime;
  /** Whether the store tells of changes by itself; otherwise they are seen within `pollBoundMs`. */
  readonly push: boolean;
  /** P: milliseconds that polling adds until a change or an expiry is seen. Less than the ttl; 0 if all is pushed. */
  readonly pollBoundMs: number;
  /** A client as another process would be: a connection of its own to the same store. */
  createClient(): Promise<BackendClient<B>>;
  /** Puts something beside the instances of a service that cannot be read as one. */
  writeMalformed?(service: string, key: string): Promise<void>;
  /** The `n`-th instance of a service as this store can hold it. Default: 10.0.0.`n`:8080 with all fields set. */
  instance?(service: string, n: number): ServiceInstance;
  /** The same instance with something else that this store can hold. Default: other metadata. */
  changed?(instance: ServiceInstance): ServiceInstance;
  /**
   * Arguments of `node` for a program that makes a client of its own, registers if it can, watches, closes, and then
   * has nothing left to do.
   */
  readonly program?: readonly string[] | undefined;
  /** Closes all clients and frees all that was started for the case. */
  dispose(): Promise<void>;
}

export interface BackendClient<B extends DiscoveryBackend = DiscoveryBackend> {
  readonly backend: B;
  /** The process of this client dies without goodbye: it renews nothing and releases nothing any more. */
  crash(): Promise<void>;
  /** Timers that this client has set, where they can be counted. */
  readonly pendingTimers?: number | undefined;
}
