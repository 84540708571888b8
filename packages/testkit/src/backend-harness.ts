import type { Clock, DiscoveryBackend, RegistryBackend, ServiceInstance } from '@sd/core';
import type { FaultProxy } from './fault-proxy.ts';
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
  /** Takes away what keeps an instance published (its lease, check or expiry), and leaves the rest of it there. */
  forgetLease?(service: string, id: string): Promise<void>;
  /** Changes an instance so that no watcher is told. */
  losePush?(changed: ServiceInstance): Promise<void>;
  /** Makes the revision of a service one that is lower, or far higher, than any that clients have seen. */
  moveRevision?(service: string, where: 'back' | 'ahead'): Promise<void>;
  /** Makes the revision of a service 0, or takes it away. */
  loseRevision?(service: string): Promise<void>;
  /** Makes the store forget its history: revisions that clients know are too old to go on from. */
  compact?(): Promise<void>;
  /** Ends the node that serves `orders`, for good, in favour of its copy; resolves when that one serves. */
  readonly failOver?: (() => Promise<void>) | undefined;
  /** A client that reaches the store through fault proxies. */
  createRemoteClient?(): Promise<RemoteClient>;
  /** The rights of the clients. Connections that they have are closed when these are taken from them. */
  readonly access?: StoreAccess | undefined;
  /** Arguments of `node` for a program that keeps this instance published until it is killed. */
  providerProgram?(instance: ServiceInstance): readonly string[];
}

export interface StoreAccess {
  deny(): Promise<void>;
  allow(): Promise<void>;
}

/** The process of the store, or all of them where it has several. */
export interface StoreServer {
  /** SIGKILL. */
  kill(): Promise<void>;
  /** After `kill()`; resolves when it serves again. */
  start(options: { readonly keepData: boolean }): Promise<void>;
  /** SIGSTOP: connections stay open, nothing is answered. */
  freeze(): void;
  thaw(): void;
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
  createClient(options?: ClientOptions): Promise<BackendClient<B>>;
  /** The store's own process, if cases may kill and freeze it. */
  readonly server?: StoreServer | undefined;
  /** Milliseconds after which a client takes a connection for lost that says nothing. Default: 5,000. */
  readonly silenceMs?: number | undefined;
  /** Closes all connections of all clients, from the side of the store. */
  disconnectAll?(): Promise<void>;
  /** How many requests of clients the store has had. */
  requests?(): Promise<number>;
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

export interface ClientOptions {
  /** How far the clock of the client's host is ahead of the true time, in milliseconds. Default: 0. */
  readonly clockOffsetMs?: number | undefined;
}

/**
 * What lies between a client and its store: a fault proxy, or several that fail together. `accepted` is then that of the
 * one that had most.
 */
export type Network = Pick<
  FaultProxy,
  'set' | 'heal' | 'reset' | 'accepted' | 'bytesToServer' | 'bytesToClient'
>;

/** A client whose connections all go through a network that cases disturb. */
export interface RemoteClient extends BackendClient<RegistryBackend> {
  readonly network: Network;
}

export interface BackendClient<B extends DiscoveryBackend = DiscoveryBackend> {
  readonly backend: B;
  /** The clock of its process. Default: the system's. */
  readonly clock?: Clock | undefined;
  /** The process of this client dies without goodbye: it renews nothing and releases nothing any more. */
  crash(): Promise<void>;
  /** Timers that this client has set, where they can be counted. */
  readonly pendingTimers?: number | undefined;
}
