import {
  ClosedError,
  globalLogger,
  MalformedEntries,
  Registrations,
  systemClock,
  systemRng,
  unfailing,
  validateServiceName,
  type BackendReadOptions,
  type Lease,
  type MalformedReport,
  type RegisterOptions,
  type RegistryBackend,
  type ServiceInstance,
} from '@sd/core';
import { validateOptions, type ConsulBackendOptions } from './consul-options.ts';
import { ConsulStore } from './consul-store.ts';
import { HeldInstances } from './held-instances.ts';
import { Requests } from './requests.ts';
import { Token } from './token.ts';
import { WatchedServices } from './watched-services.ts';

/** Services in Consul, by the HTTP API of an agent. Connections are made when they are first needed. */
export class ConsulBackend implements RegistryBackend {
  readonly name = 'consul';
  readonly #malformed: MalformedEntries;
  readonly #requests: Requests;
  readonly #store: ConsulStore;
  readonly #registrations: Registrations;
  readonly #watched: WatchedServices;
  /** By ttl. */
  readonly #held = new Map<number, HeldInstances>();
  #closing: Promise<void> | undefined;

  /** Does not connect yet. @throws {ConfigValidationError} naming each wrong option */
  constructor(options: ConsulBackendOptions = {}) {
    validateOptions(options);
    const { url = 'http://127.0.0.1:8500', tls, namespace, partition, consistency } = options;
    const { check = { kind: 'ttl' }, deregisterAfterMs = 60_000, maxBlockingQueries = 16 } = options;
    const { timeoutMs = 3_000, waitMs = 10_000, pollMs = 10_000 } = options;
    const { clock = systemClock, rng = systemRng } = options;
    const logger = unfailing(() => options.logger ?? globalLogger);
    const token = new Token(options.token);
    // One more for the list of services, which all beyond share.
    const watches = maxBlockingQueries + 1;
    this.#malformed = new MalformedEntries(options.logger);
    this.#requests = new Requests({ url, tls, token, namespace, partition, timeoutMs, watches, clock });
    const store = new ConsulStore({
      ...options,
      requests: this.#requests,
      malformed: this.#malformed,
      timeoutMs,
    });
    this.#store = store;
    const held = (ttl: number): HeldInstances => {
      const known = this.#held.get(ttl);
      if (known !== undefined) return known;
      const made = new HeldInstances(ttl, { store, check, deregisterAfterMs, clock, rng, logger });
      this.#held.set(ttl, made);
      return made;
    };
    this.#registrations = new Registrations({
      owner: 'The consul backend',
      clock,
      patienceMs: Math.min(1_000, timeoutMs),
      place: (instance, ttl) => held(ttl).place(instance),
      onHeld: (lease) => held(lease.ttl).add(lease),
      onEnded: (lease) => held(lease.ttl).delete(lease),
    });
    this.#watched = new WatchedServices({
      store,
      requests: this.#requests,
      waitMs,
      pollMs,
      timeoutMs,
      maxBlockingQueries,
      isStale: consistency === 'stale',
      clock,
      rng,
    });
  }

  get malformed(): MalformedReport {
    return this.#malformed;
  }

  async listServices({ signal }: BackendReadOptions = {}): Promise<readonly string[]> {
    this.#registrations.assertUsable(signal);
    const [{ services }, doubtful] = await Promise.all([
      this.#store.list({ signal }),
      this.#store.doubtful(signal),
    ]);
    const doubted = doubtful.filter((service) => services.has(service));
    const readings = await Promise.all(doubted.map((service) => this.#store.read(service, { signal })));
    const dead = new Set(doubted.filter((_, index) => readings[index]?.instances.length === 0));
    return [...services.keys()].filter((service) => !dead.has(service));
  }

  async getInstances(
    service: string,
    { signal }: BackendReadOptions = {},
  ): Promise<readonly ServiceInstance[]> {
    validateServiceName(service);
    this.#registrations.assertUsable(signal);
    return (await this.#store.read(service, { signal })).instances;
  }

  watch(
    service: string,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<readonly ServiceInstance[], void, undefined> {
    return this.#watched.watch(service, signal);
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

  async #close(): Promise<void> {
    this.#watched.close(new ClosedError('The consul backend'));
    for (const held of this.#held.values()) held.close();
    await this.#registrations.close();
    this.#requests.close();
  }
}
