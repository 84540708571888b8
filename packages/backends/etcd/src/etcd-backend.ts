import {
  ClosedError,
  globalLogger,
  MalformedEntries,
  Registrations,
  SharedWatches,
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
import { Connection } from './connection.ts';
import { settingsOf, type EtcdBackendOptions } from './etcd-options.ts';
import { keysBelow } from './key-range.ts';
import { Publisher } from './publisher.ts';
import { ReadBatches } from './read-batches.ts';
import { feedService, ServiceReader } from './watched-service.ts';
import { WatchStreams } from './watch-streams.ts';

/**
 * Services in etcd 3.4 or newer. One connection serves a process, whatever it registers and watches: all watches share
 * a stream, and all instances with one time to live share a lease.
 */
export class EtcdBackend implements RegistryBackend {
  readonly name = 'etcd';
  readonly #prefix: string;
  readonly #malformed: MalformedEntries;
  readonly #connection: Connection;
  readonly #reader: ServiceReader;
  readonly #publisher: Publisher;
  readonly #registrations: Registrations;
  readonly #watches: SharedWatches;
  #closing: Promise<void> | undefined;

  /** Does not connect yet. @throws {ConfigValidationError} naming each wrong option */
  constructor(options: EtcdBackendOptions = {}) {
    const { endpoints, prefix, codec, timeoutMs } = settingsOf(options);
    const { username, password, tls, clock = systemClock, rng = systemRng } = options;
    const logger = unfailing(() => options.logger ?? globalLogger);
    this.#prefix = prefix;
    this.#malformed = new MalformedEntries(options.logger);
    const connection = new Connection({ endpoints, username, password, tls, timeoutMs, clock, rng });
    const streams = new WatchStreams({ connection, timeoutMs, clock });
    const sources = { connection, streams, reads: new ReadBatches(connection, prefix) };
    const reader = new ServiceReader({ prefix, codec, malformed: this.#malformed });
    const publisher = new Publisher({ connection, sources, prefix, codec, timeoutMs, clock, rng, logger });
    this.#connection = connection;
    this.#reader = reader;
    this.#publisher = publisher;
    this.#registrations = new Registrations({
      owner: 'The etcd backend',
      clock,
      patienceMs: Math.min(1_000, timeoutMs),
      place: (instance, ttl) => publisher.place(instance, ttl),
      onHeld: (lease, placement) => publisher.onHeld(lease, placement),
      onEnded: (_, placement) => publisher.onEnded(placement),
    });
    this.#watches = new SharedWatches((feed) => feedService(feed, { ...sources, reader }));
  }

  get malformed(): MalformedReport {
    return this.#malformed;
  }

  async listServices({ signal }: BackendReadOptions = {}): Promise<readonly string[]> {
    this.#registrations.assertUsable(signal);
    const request = this.#connection.kv({ signal, keys: this.#prefix });
    const { kvs } = await request.range({ ...keysBelow(this.#prefix), keys_only: true });
    const services = new Set<string>();
    for (const { key } of kvs) {
      const [, service] =
        /^([A-Za-z0-9](?:[\w.-]{0,126}[A-Za-z0-9])?)\/./.exec(key.toString().slice(this.#prefix.length)) ??
        [];
      if (service !== undefined) services.add(service);
    }
    return [...services];
  }

  async getInstances(
    service: string,
    { signal }: BackendReadOptions = {},
  ): Promise<readonly ServiceInstance[]> {
    validateServiceName(service);
    this.#registrations.assertUsable(signal);
    const keys = this.#reader.prefixOf(service);
    const { kvs } = await this.#connection.kv({ service, signal, keys }).range(keysBelow(keys));
    return [...this.#reader.read(service, kvs).values()];
  }

  watch(
    service: string,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncIterable<readonly ServiceInstance[]> {
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

  async #close(): Promise<void> {
    this.#watches.close(new ClosedError('The etcd backend'));
    this.#publisher.close();
    await this.#registrations.close();
    this.#connection.close();
  }
}
