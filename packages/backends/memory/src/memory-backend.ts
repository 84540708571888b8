import * as v from 'valibot';
import {
  ClosedError,
  createInstance,
  followOptions,
  Latest,
  MalformedEntries,
  onAbort,
  systemClock,
  validate,
  validateServiceName,
  type BackendReadOptions,
  type Clock,
  type DiscoveryLogger,
  type Lease,
  type MalformedReport,
  type RegisterOptions,
  type RegistryBackend,
  type ServiceInstance,
} from '@sd/core';
import { Deadlines } from './deadlines.ts';
import { MemoryLease } from './memory-lease.ts';
import { MemoryStore, type StoreSnapshot } from './memory-store.ts';

export interface MemoryBackendOptions {
  /** Where the records are. Default: the one store of this process, or of `clock` if that is given. */
  readonly store?: MemoryStore | undefined;
  /** Times the renewals; expiry is timed by the store's own clock. Default: the store's. */
  readonly clock?: Clock | undefined;
  /** Told of malformed entries. Default: the global logger. */
  readonly logger?: DiscoveryLogger | undefined;
}

/**
 * The embedded default: services that live in one process. A registry and a client that are made apart from each other
 * meet in the store that all backends of the process share unless they are given one.
 */
export class MemoryBackend implements RegistryBackend {
  readonly name = 'memory';
  readonly #store: MemoryStore;
  readonly #clock: Clock;
  readonly #malformed: MalformedEntries;
  readonly #reported = new WeakSet<StoreSnapshot>();
  readonly #leases = new Set<MemoryLease>();
  readonly #renewals: Deadlines<MemoryLease>;
  readonly #watches = new Set<(error: ClosedError) => void>();
  #closed = false;

  constructor(options: MemoryBackendOptions = {}) {
    const { store, clock, logger } = validate('MemoryBackend', optionsSchema, options);
    this.#store = store ?? sharedStore(clock ?? systemClock);
    this.#clock = clock ?? this.#store.clock;
    this.#malformed = new MalformedEntries(logger);
    this.#renewals = new Deadlines(this.#clock, (leases) => {
      for (const lease of leases) {
        lease.renew();
        this.#scheduleRenewal(lease);
      }
    });
  }

  get malformed(): MalformedReport {
    return this.#malformed;
  }

  async listServices({ signal }: BackendReadOptions = {}): Promise<readonly string[]> {
    this.#assertUsable(signal);
    return this.#store.services();
  }

  async getInstances(
    service: string,
    { signal }: BackendReadOptions = {},
  ): Promise<readonly ServiceInstance[]> {
    this.#assertUsable(signal);
    return this.#read(validateServiceName(service)).instances;
  }

  async *watch(
    service: string,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<readonly ServiceInstance[], void, undefined> {
    if (this.#closed) throw closedError();
    validateServiceName(service);
    const changes = new Latest<undefined>();
    const unsubscribe = this.#store.subscribe(service, () => changes.push(undefined));
    const finish = (error?: ClosedError): void => {
      unsubscribe();
      forget();
      this.#watches.delete(finish);
      if (error === undefined) changes.end();
      else changes.fail(error);
    };
    const forget = onAbort(signal, () => finish());
    this.#watches.add(finish);
    changes.push(undefined);
    try {
      let last: StoreSnapshot | undefined;
      for await (const _ of changes) {
        if (signal.aborted) return;
        const snapshot = this.#read(service);
        if (snapshot !== last) yield (last = snapshot).instances;
      }
    } finally {
      finish();
    }
  }

  async register(instance: ServiceInstance, options: RegisterOptions): Promise<Lease> {
    const { ttl, signal } = validate('register()', registerSchema, options);
    this.#assertUsable(signal);
    const checked = createInstance(instance, this.#clock.now());
    // Real stores need a round trip here. What closes or aborts during it finds the same moment in memory.
    await Promise.resolve();
    this.#assertUsable(signal);
    const lease = new MemoryLease(this.#store, checked, ttl, (ended) => {
      this.#leases.delete(ended);
      this.#renewals.delete(ended);
    });
    this.#leases.add(lease);
    this.#scheduleRenewal(lease);
    return lease;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const lease of this.#leases) lease.abandon();
    for (const finish of this.#watches) finish(closedError());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #read(service: string): StoreSnapshot {
    const snapshot = this.#store.read(service);
    if (!this.#reported.has(snapshot)) {
      this.#reported.add(snapshot);
      for (const entry of snapshot.malformed) this.#malformed.report(entry);
    }
    return snapshot;
  }

  /** After a third of the ttl at the latest, on a grid of twelfths: a thousand leases share a few timers. */
  #scheduleRenewal(lease: MemoryLease): void {
    const grid = lease.ttl / 12;
    this.#renewals.set(lease, Math.floor((this.#clock.monotonic() + 4 * grid) / grid) * grid);
  }

  #assertUsable(signal: AbortSignal | undefined): void {
    if (this.#closed) throw closedError();
    signal?.throwIfAborted();
  }
}

const closedError = (): ClosedError => new ClosedError('The memory backend');

/** One store for all backends of the process on one clock: what meets must agree on the time. */
function sharedStore(clock: Clock): MemoryStore {
  let store = sharedStores.get(clock);
  if (store === undefined) sharedStores.set(clock, (store = new MemoryStore({ clock })));
  return store;
}

const sharedStores = new WeakMap<Clock, MemoryStore>();

const { clock, logger } = followOptions.entries;
const optionsSchema = v.strictObject(
  { store: v.optional(v.instance(MemoryStore, 'a MemoryStore')), clock, logger },
  'an object',
);

const ttlText = 'a number of milliseconds of at least 1';
const registerSchema = v.strictObject(
  {
    ttl: v.pipe(v.number(ttlText), v.finite(ttlText), v.minValue(1, ttlText)),
    signal: v.optional(v.instance(AbortSignal, 'an AbortSignal')),
  },
  'an object with a ttl',
);
