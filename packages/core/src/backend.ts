import type { MalformedReport } from './malformed-entries.ts';
import type { ServiceInstance } from './service-instance.ts';

/** Where instances are found. Read-only stores (DNS, static, Kubernetes) are just this. */
export interface DiscoveryBackend extends AsyncDisposable {
  /** Short and fixed, for messages and metrics: `memory`, `redis`. */
  readonly name: string;
  /** Entries that were skipped because they could not be read. */
  readonly malformed: MalformedReport;

  /** Names of all services that have an instance, in no particular order. */
  listServices(options?: BackendReadOptions): Promise<readonly string[]>;

  /**
   * The instances now; empty for a service that has none.
   * @throws {ConfigValidationError} when no service can have this name; the store is not asked
   */
  getInstances(service: string, options?: BackendReadOptions): Promise<readonly ServiceInstance[]>;

  /**
   * Yields the full current snapshot first (empty if there is none), then one for each change; intermediate ones may
   * be skipped, and what says the same as before (`updatedAt` aside) is no change. Ends without an error when the
   * signal aborts, and with a `ClosedError` when the backend is closed.
   * In sync, or thrown: a watch that has lost its store throws, it never goes quiet. It does not reconnect by itself:
   * `follow()` does, for every backend alike.
   */
  watch(
    service: string,
    options: { readonly signal: AbortSignal },
  ): AsyncIterable<readonly ServiceInstance[]>;

  /**
   * Ends watches, stops renewing leases, frees sockets and timers. It releases nothing: what is registered ends with
   * its ttl. What is asked of the backend and its leases afterwards rejects with a `ClosedError`. Idempotent.
   */
  close(): Promise<void>;
}

export interface BackendReadOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Whether it has the methods that finding instances takes: what users hand in may be anything. */
export function isBackend(value: unknown): value is DiscoveryBackend {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['watch', 'getInstances', 'listServices'].every((name) => typeof Reflect.get(value, name) === 'function')
  );
}

/** A backend that instances can be published in. */
export interface RegistryBackend extends DiscoveryBackend {
  /**
   * Publishes an instance and renews its lease until it is released or lost.
   * An instance of the same service and id is replaced, and its lease, if any, is lost with reason `replaced`.
   * One that is aborted, or interrupted by `close()`, leaves nothing behind.
   * @throws {ConfigValidationError} what `createInstance` would refuse; the store is not asked
   * @throws {BackendUnavailableError} may work later
   * @throws {AccessDeniedError} will not work before somebody changes something
   */
  register(instance: ServiceInstance, options: RegisterOptions): Promise<Lease>;
}

export interface RegisterOptions {
  /** Milliseconds after the last renewal at which the instance vanishes by itself. */
  readonly ttl: number;
  readonly signal?: AbortSignal | undefined;
}

/** The right of one instance to stay published. */
export interface Lease {
  /** As last published through this lease. */
  readonly instance: ServiceInstance;
  /**
   * Publishes the instance anew: same service and id, other status, weight, metadata …
   * @throws the reason of `lost` when the lease is lost
   */
  update(instance: ServiceInstance): Promise<void>;
  /** Takes the instance out of the store. Idempotent; a lost lease is released already. */
  release(): Promise<void>;
  /** Aborts with a `LeaseLostError` when the store dropped the instance; not on `release()`. */
  readonly lost: AbortSignal;
}
