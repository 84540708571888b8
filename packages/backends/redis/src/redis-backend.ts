import {
  abortable,
  ClosedError,
  createInstance,
  Latest,
  MalformedEntries,
  onAbort,
  systemClock,
  systemRng,
  globalLogger,
  unfailing,
  validate,
  validateServiceName,
  type BackendReadOptions,
  type Clock,
  type DiscoveryLogger,
  type Lease,
  type MalformedReport,
  type RegisterOptions,
  type RegistryBackend,
  type Rng,
  type ServiceInstance,
} from '@sd/core';
import * as v from 'valibot';
import { Connection } from './connection.ts';
import { makeConnector } from './connector.ts';
import { parseRecords } from './records.ts';
import { encode, RedisLease } from './redis-lease.ts';
import { validateOptions, type RedisBackendOptions } from './redis-options.ts';
import { RedisStore } from './redis-store.ts';
import { Renewals } from './renewals.ts';
import { Subscriber } from './subscriber.ts';
import { WatchedService, type Snapshot } from './watched-service.ts';

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
  readonly #timeoutMs: number;
  readonly #pollMs: number;
  readonly #malformed: MalformedEntries;
  readonly #connection: Connection;
  readonly #subscriber: Subscriber;
  readonly #store: RedisStore;
  readonly #leases = new Map<string, RedisLease>();
  /** By ttl. */
  readonly #renewals = new Map<number, Renewals>();
  readonly #watched = new Map<string, WatchedService>();
  /** Registrations that Redis has not answered yet. */
  readonly #registering = new Set<Promise<unknown>>();
  readonly #closed = new AbortController();
  #closing: Promise<void> | undefined;

  /** Does not connect yet. @throws {ConfigValidationError} naming each wrong option */
  constructor(options: RedisBackendOptions = {}) {
    validateOptions(options);
    const { prefix = 'sd:', timeoutMs = 3_000, pollMs = 10_000, clock, rng, logger } = options;
    this.#clock = clock ?? systemClock;
    this.#rng = rng ?? systemRng;
    this.#logger = unfailing(() => logger ?? globalLogger);
    this.#timeoutMs = timeoutMs;
    this.#pollMs = pollMs;
    this.#malformed = new MalformedEntries(logger);
    const connector = makeConnector(options, timeoutMs);
    const shared = { connector, prefix, timeoutMs, clock: this.#clock, rng: this.#rng };
    this.#connection = new Connection(shared);
    this.#subscriber = new Subscriber({ ...shared, connection: this.#connection });
    this.#store = new RedisStore(this.#connection, { prefix, db: connector.db });
  }

  get malformed(): MalformedReport {
    return this.#malformed;
  }

  async listServices({ signal }: BackendReadOptions = {}): Promise<readonly string[]> {
    this.#assertUsable(signal);
    const { alive, broken } = await this.#store.list(signal);
    for (const service of broken) {
      const [, key] = this.#store.keysOf(service).keys;
      this.#malformed.report({ service, key, problem: 'there is something else than leases' });
    }
    return alive;
  }

  async getInstances(service: string, { signal }: BackendReadOptions = {}): Promise<Snapshot> {
    validateServiceName(service);
    this.#assertUsable(signal);
    const { records } = await this.#store.read(service, '', signal);
    return records === undefined ? [] : [...parseRecords(service, records, this.#malformed).values()];
  }

  async *watch(
    service: string,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<Snapshot, void, undefined> {
    validateServiceName(service);
    this.#closed.signal.throwIfAborted();
    const isOver = (): boolean => signal.aborted;
    if (isOver()) return;
    const changes = new Latest<undefined>();
    const watched = this.#watch(service);
    const finish = (): void => {
      forget();
      watched.delete(changes);
      changes.end();
    };
    const forget = onAbort(signal, finish);
    watched.add(changes);
    try {
      let last: Snapshot | undefined;
      for await (const _ of changes) {
        if (isOver()) return;
        if (watched.snapshot !== last) yield (last = watched.snapshot);
      }
    } finally {
      finish();
    }
  }

  async register(instance: ServiceInstance, options: RegisterOptions): Promise<Lease> {
    const { ttl, signal } = validate('register()', registerSchema, options);
    this.#assertUsable(signal);
    const checked = createInstance(instance, this.#clock.now());
    const registering = this.#register(checked, Math.ceil(ttl), signal);
    this.#registering.add(registering);
    const forget = (): void => void this.#registering.delete(registering);
    registering.then(forget, forget);
    return abortable(registering, signal);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Goes on when nobody waits for it any more, to take back what came through too late. */
  async #register(instance: ServiceInstance, ttl: number, signal: AbortSignal | undefined): Promise<Lease> {
    const { service, id } = instance;
    const json = encode('register()', instance);
    const startedAt = this.#clock.monotonic();
    const sequence = this.#store.nextSequence();
    const listed = this.#store.touch(service, ttl).catch((error: unknown) => {
      this.#logger.warn(`Could not add "${service}" to the list of services; renewals will`, { error });
    });
    await this.#store.write('register', { service, id, json, ttl, sequence });
    await listed;
    if (this.#closed.signal.aborted || signal?.aborted === true) {
      await this.#store.remove(service, id, sequence);
      this.#assertUsable(signal);
    }
    return this.#hold(instance, { ttl, startedAt, sequence });
  }

  #hold(
    instance: ServiceInstance,
    {
      ttl,
      startedAt,
      sequence,
    }: { readonly ttl: number; readonly startedAt: number; readonly sequence: number },
  ): RedisLease {
    const key = `${instance.service}/${instance.id}`;
    const renewals = this.#renewalsOf(ttl);
    this.#leases.get(key)?.drop('replaced');
    const lease = new RedisLease(instance, ttl, {
      sequence,
      store: this.#store,
      clock: this.#clock,
      onEnd: (ended) => {
        renewals.delete(ended);
        if (this.#leases.get(key) === ended) this.#leases.delete(key);
      },
    });
    lease.renewed(startedAt);
    this.#leases.set(key, lease);
    renewals.add(lease);
    return lease;
  }

  #renewalsOf(ttl: number): Renewals {
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

  #watch(service: string): WatchedService {
    let watched = this.#watched.get(service);
    if (watched === undefined) {
      watched = new WatchedService(service, {
        store: this.#store,
        subscriber: this.#subscriber,
        malformed: this.#malformed,
        pollMs: this.#pollMs,
        clock: this.#clock,
        rng: this.#rng,
        onEnd: (ended) => {
          if (this.#watched.get(service) === ended) this.#watched.delete(service);
        },
      });
      this.#watched.set(service, watched);
    }
    return watched;
  }

  async #close(): Promise<void> {
    const closed = new ClosedError('The redis backend');
    this.#closed.abort(closed);
    for (const renewals of this.#renewals.values()) renewals.close();
    for (const lease of this.#leases.values()) lease.abandon();
    for (const watched of this.#watched.values()) watched.fail(closed);
    await this.#takeBack();
    await Promise.all([this.#subscriber.close(), this.#connection.close()]);
  }

  /** Waits for registrations under way to be undone, but not for a Redis that does not answer. */
  async #takeBack(): Promise<void> {
    if (this.#registering.size === 0) return;
    const patience = new AbortController();
    const timer = this.#clock.setTimer(() => patience.abort(), Math.min(1_000, this.#timeoutMs));
    const settled = Promise.allSettled(this.#registering);
    await abortable(settled, patience.signal).catch(() => undefined); // they end with their ttl
    timer.cancel();
  }

  #assertUsable(signal: AbortSignal | undefined): void {
    this.#closed.signal.throwIfAborted();
    signal?.throwIfAborted();
  }
}

const ttlText = 'milliseconds from 1 to 31536000000, a year';
const registerSchema = v.strictObject(
  {
    ttl: v.pipe(v.number(ttlText), v.minValue(1, ttlText), v.maxValue(31_536_000_000, ttlText)),
    signal: v.optional(v.instance(AbortSignal, 'an AbortSignal')),
  },
  'an object with a ttl',
);
