import * as v from 'valibot';
import {
  ClosedError,
  followOptions,
  MalformedEntries,
  onAbort,
  Registrations,
  SharedWatches,
  systemClock,
  validate,
  validateServiceName,
  type BackendReadOptions,
  type Clock,
  type DiscoveryLogger,
  type HeldLease,
  type Lease,
  type MalformedReport,
  type RegisterOptions,
  type RegistryBackend,
  type ServiceInstance,
  type WatchFeed,
} from '@sd/core';
import { Deadlines } from './deadlines.ts';
import { MemoryPlacement } from './memory-placement.ts';
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
  readonly #placements = new Map<HeldLease, MemoryPlacement>();
  readonly #renewals: Deadlines<HeldLease>;
  readonly #registrations: Registrations<MemoryPlacement>;
  readonly #watches: SharedWatches;

  constructor(options: MemoryBackendOptions = {}) {
    const { store, clock, logger } = validate('MemoryBackend', optionsSchema, options);
    this.#store = store ?? sharedStore(clock ?? systemClock);
    this.#clock = clock ?? this.#store.clock;
    this.#malformed = new MalformedEntries(logger);
    this.#renewals = new Deadlines(this.#clock, (leases) => {
      for (const lease of leases) {
        this.#placements.get(lease)?.renew();
        this.#scheduleRenewal(lease);
      }
    });
    this.#registrations = new Registrations({
      owner,
      clock: this.#clock,
      place: async (instance, ttl) => {
        // Real stores need a round trip here. What closes or aborts during it finds the same moment in memory.
        await Promise.resolve();
        return new MemoryPlacement(this.#store, instance, ttl);
      },
      onHeld: (lease, placement) => this.#hold(lease, placement),
      onEnded: (lease) => {
        this.#placements.delete(lease);
        this.#renewals.delete(lease);
      },
    });
    this.#watches = new SharedWatches((feed) => this.#feed(feed));
  }

  get malformed(): MalformedReport {
    return this.#malformed;
  }

  async listServices({ signal }: BackendReadOptions = {}): Promise<readonly string[]> {
    this.#registrations.assertUsable(signal);
    return this.#store.services();
  }

  async getInstances(
    service: string,
    { signal }: BackendReadOptions = {},
  ): Promise<readonly ServiceInstance[]> {
    this.#registrations.assertUsable(signal);
    return this.#read(validateServiceName(service)).instances;
  }

  watch(
    service: string,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<readonly ServiceInstance[], void, undefined> {
    return this.#watches.watch(service, signal);
  }

  register(instance: ServiceInstance, options: RegisterOptions): Promise<Lease> {
    return this.#registrations.register(instance, options);
  }

  async close(): Promise<void> {
    this.#watches.close(new ClosedError(owner));
    await this.#registrations.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #feed(feed: WatchFeed): void {
    const tell = (): void => feed.push(this.#read(feed.service).instances);
    onAbort(feed.signal, this.#store.subscribe(feed.service, tell));
    tell();
  }

  #hold(lease: HeldLease, placement: MemoryPlacement): void {
    this.#placements.set(lease, placement);
    this.#scheduleRenewal(lease);
    placement.hold(lease);
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
  #scheduleRenewal(lease: HeldLease): void {
    const grid = lease.ttl / 12;
    this.#renewals.set(lease, Math.floor((this.#clock.monotonic() + 4 * grid) / grid) * grid);
  }
}

const owner = 'The memory backend';

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
