import {
  ClosedError,
  encodeInstance,
  globalLogger,
  MalformedEntries,
  Registrations,
  SharedWatches,
  systemClock,
  systemRng,
  unfailing,
  validateServiceName,
  type BackendReadOptions,
  type Clock,
  type DiscoveryLogger,
  type HeldLease,
  type Lease,
  type MalformedReport,
  type Placement,
  type RegisterOptions,
  type RegistryBackend,
  type Rng,
  type ServiceInstance,
} from '@sd/core';
import { Connection } from './connection.ts';
import { makeConnector } from './connector.ts';
import { parseRecords } from './records.ts';
import { validateOptions, type RedisBackendOptions } from './redis-options.ts';
import { RedisStore } from './redis-store.ts';
import { Renewals } from './renewals.ts';
import { Subscriber } from './subscriber.ts';
import { WatchedService } from './watched-service.ts';

type Snapshot = readonly ServiceInstance[];

/**
 * Services in Redis or Valkey: standalone, Sentinel or Cluster. Two connections serve a process, whatever it registers
 * and watches: one for commands (in a Cluster, those that ioredis keeps to its nodes), one for subscriptions. They are
 * made when they are first needed.
 */
export class RedisBackend implements RegistryBackend {
  readonly name = 'redis';
  readonly #clock: Clock;
  readonly #rng: Rng;
  readonly #logger: DiscoveryLogger;
  readonly #malformed: MalformedEntries;
  readonly #connection: Connection;
  readonly #subscriber: Subscriber;
  readonly #store: RedisStore;
  /** By ttl. */
  readonly #renewals = new Map<number, Renewals>();
  readonly #registrations: Registrations;
  readonly #watches: SharedWatches;
  #closing: Promise<void> | undefined;

  /** Does not connect yet. @throws {ConfigValidationError} naming each wrong option */
  constructor(options: RedisBackendOptions = {}) {
    validateOptions(options);
    const { prefix = 'sd:', timeoutMs = 3_000, pollMs = 10_000, clock, rng, logger } = options;
    this.#clock = clock ?? systemClock;
    this.#rng = rng ?? systemRng;
    this.#logger = unfailing(() => logger ?? globalLogger);
    this.#malformed = new MalformedEntries(logger);
    const connector = makeConnector(options, timeoutMs);
    const shared = { connector, prefix, timeoutMs, clock: this.#clock, rng: this.#rng };
    this.#connection = new Connection(shared);
    this.#subscriber = new Subscriber({ ...shared, connection: this.#connection });
    this.#store = new RedisStore(this.#connection, { prefix, db: connector.db });
    this.#registrations = new Registrations({
      owner: 'The redis backend',
      clock: this.#clock,
      patienceMs: Math.min(1_000, timeoutMs),
      place: (instance, ttl) => this.#place(instance, ttl),
      onHeld: (lease) => this.#renewalsOf(lease).add(lease),
      onEnded: (lease) => this.#renewalsOf(lease).delete(lease),
    });
    const watching = {
      store: this.#store,
      subscriber: this.#subscriber,
      malformed: this.#malformed,
      pollMs,
      clock: this.#clock,
      rng: this.#rng,
    };
    this.#watches = new SharedWatches((feed) => new WatchedService(feed, watching).start());
  }

  get malformed(): MalformedReport {
    return this.#malformed;
  }

  async listServices({ signal }: BackendReadOptions = {}): Promise<readonly string[]> {
    this.#registrations.assertUsable(signal);
    const { alive, broken } = await this.#store.list(signal);
    for (const service of broken) {
      const [, key] = this.#store.keysOf(service).keys;
      this.#malformed.report({ service, key, problem: 'there is something else than leases' });
    }
    return alive;
  }

  async getInstances(service: string, { signal }: BackendReadOptions = {}): Promise<Snapshot> {
    validateServiceName(service);
    this.#registrations.assertUsable(signal);
    const { records } = await this.#store.read(service, '', signal);
    return records === undefined ? [] : [...parseRecords(service, records, this.#malformed).values()];
  }

  watch(
    service: string,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<Snapshot, void, undefined> {
    return this.#watches.watch(service, signal);
  }

  register(instance: ServiceInstance, options: RegisterOptions): Promise<Lease> {
    return this.#registrations.register(instance, options);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #place(instance: ServiceInstance, ttl: number): Promise<Placement> {
    const store = this.#store;
    const { service, id } = instance;
    const json = encodeInstance(instance);
    let sequence = store.nextSequence();
    const listed = store.touch(service, ttl).catch((error: unknown) => ({ error }));
    await store.write('register', { service, id, json, ttl, sequence });
    const failed = await listed;
    if (failed !== undefined)
      this.#logger.warn(`Could not add "${service}" to the list of services; renewals will`, failed);
    return {
      async write(changed) {
        const json = encodeInstance(changed);
        sequence = store.nextSequence();
        const outcome = await store.write('update', { service, id, json, ttl, sequence });
        return outcome === 'ok' ? undefined : outcome;
      },
      remove: () => store.remove(service, id, sequence),
    };
  }

  #renewalsOf({ ttl }: HeldLease): Renewals {
    let renewals = this.#renewals.get(ttl);
    if (renewals === undefined) {
      renewals = new Renewals(ttl, {
        store: this.#store,
        clock: this.#clock,
        rng: this.#rng,
        logger: this.#logger,
      });
      this.#renewals.set(ttl, renewals);
    }
    return renewals;
  }

  async #close(): Promise<void> {
    for (const renewals of this.#renewals.values()) renewals.close();
    this.#watches.close(new ClosedError('The redis backend'));
    await this.#registrations.close();
    await Promise.all([this.#subscriber.close(), this.#connection.close()]);
  }
}
