import {
  ConfigValidationError,
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
  type Lease,
  type MalformedReport,
  type Placement,
  type RegisterOptions,
  type RegistryBackend,
  type Rng,
  type ServiceInstance,
} from '@sd/core';
import { Abilities } from './abilities.ts';
import { aclOf } from './acl.ts';
import { sdCodec, type InstanceCodec } from './codec.ts';
import { parseConnectionString } from './connection-string.ts';
import { curatorCodec } from './curator-codec.ts';
import { startDeadline, withDeadline } from './deadline.ts';
import { EphemeralNode } from './ephemeral-node.ts';
import { LeaseSession } from './lease-session.ts';
import { ConnectError } from './protocol/connect-error.ts';
import type { Connection } from './protocol/connection.ts';
import { Connector } from './protocol/connector.ts';
import { Reader } from './reader.ts';
import { Tree } from './tree.ts';
import { WatchedService } from './watched-service.ts';
import { zookeeperError } from './zookeeper-errors.ts';
import { validateOptions, type ZooKeeperBackendOptions } from './zookeeper-options.ts';

type Snapshot = readonly ServiceInstance[];

/**
 * Services in ZooKeeper: instances are ephemeral nodes. One connection serves all lookups and watches of a process, and
 * one for each ttl all its registrations. They are made when they are first needed.
 */
export class ZooKeeperBackend implements RegistryBackend {
  readonly name = 'zookeeper';
  readonly #clock: Clock;
  readonly #rng: Rng;
  readonly #logger: DiscoveryLogger;
  readonly #timeoutMs: number;
  readonly #malformed: MalformedEntries;
  readonly #connector: Connector;
  readonly #tree: Tree;
  readonly #reader: Reader;
  readonly #watches: SharedWatches;
  readonly #registrations: Registrations;
  /** By ttl. */
  readonly #sessions = new Map<number, LeaseSession>();
  /** Registrations under way, the last of each path; they never reject. */
  readonly #placing = new Map<string, Promise<unknown>>();
  /** Nothing may be sent any more. */
  readonly #closed = new AbortController();
  #closing: Promise<void> | undefined;

  /** Does not connect yet. @throws {ConfigValidationError} naming each wrong option */
  constructor(options: ZooKeeperBackendOptions = {}) {
    validateOptions(options);
    const { connectionString = '127.0.0.1:2181', codec = 'sd', auth, tls = false } = options;
    const { timeoutMs = 3_000, clock = systemClock, rng = systemRng, logger } = options;
    const { root = codec === 'curator' ? '/services' : '/sd/services' } = options;
    const { acl = auth === undefined ? 'open' : 'creator-world-read' } = options;
    const { servers, chroot } = parseConnectionString(connectionString) ?? { servers: [], chroot: '' };
    this.#clock = clock;
    this.#rng = rng;
    this.#logger = unfailing(() => logger ?? globalLogger);
    this.#timeoutMs = timeoutMs;
    this.#malformed = new MalformedEntries(logger);
    const tlsOptions = tls === true ? {} : tls === false ? undefined : tls;
    this.#connector = new Connector({ servers, tls: tlsOptions, auth, timeoutMs, clock, rng });
    const abilities = new Abilities();
    this.#tree = new Tree({
      root: chroot + root,
      acl: aclOf(acl),
      codec: codecOf(codec),
      abilities,
      malformed: this.#malformed,
    });
    const closed = this.#closed.signal;
    const reader = new Reader({ connector: this.#connector, timeoutMs, clock, closed });
    this.#reader = reader;
    this.#watches = new SharedWatches((feed) => {
      new WatchedService(feed, { reader, tree: this.#tree, abilities }).start();
    });
    this.#registrations = new Registrations({
      owner: 'The zookeeper backend',
      clock,
      patienceMs: Math.min(1_000, timeoutMs),
      place: (instance, ttl) => this.#place(instance, ttl),
      onHeld: (lease, placement) => placement instanceof EphemeralNode && placement.hold(lease),
    });
  }

  get malformed(): MalformedReport {
    return this.#malformed;
  }

  async listServices({ signal }: BackendReadOptions = {}): Promise<readonly string[]> {
    return this.#read((connection) => this.#tree.listServices(connection), { signal });
  }

  async getInstances(service: string, { signal }: BackendReadOptions = {}): Promise<Snapshot> {
    validateServiceName(service);
    return this.#read(
      async (connection) => {
        const ids = await this.#tree.listChildren(connection, this.#tree.pathOf(service));
        const instances = await this.#tree.readInstances(connection, service, ids);
        return instances.filter((instance) => instance !== undefined);
      },
      { service, signal },
    );
  }

  watch(
    service: string,
    { signal }: { readonly signal: AbortSignal },
  ): AsyncGenerator<Snapshot, void, undefined> {
    return this.#watches.watch(service, signal);
  }

  async register(instance: ServiceInstance, options: RegisterOptions): Promise<Lease> {
    // What is no signal is refused with the other options.
    const given: unknown = Reflect.get(Object(options), 'signal');
    if (given !== undefined && !(given instanceof AbortSignal))
      return this.#registrations.register(instance, options);
    const isAnswering = (): boolean => [...this.#sessions.values()].some((session) => session.isAnswering);
    const deadline = startDeadline({ ...this.#limits, isAnswering }, undefined, given);
    const registering = this.#registrations.register(instance, { ...options, signal: deadline.signal });
    return withDeadline(deadline, registering);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    const settled = this.#registrations.close();
    const closed: unknown = this.#registrations.closed.reason;
    this.#watches.close(closed);
    await settled;
    this.#closed.abort(closed);
    for (const session of this.#sessions.values()) session.close();
    this.#reader.close();
  }

  get #limits(): { readonly clock: Clock; readonly timeoutMs: number } {
    return { clock: this.#clock, timeoutMs: this.#timeoutMs };
  }

  async #read<T>(
    work: (connection: Connection) => Promise<T>,
    { service, signal }: { readonly service?: string; readonly signal?: AbortSignal | undefined },
  ): Promise<T> {
    this.#registrations.assertUsable(signal);
    const isAnswering = (): boolean => this.#reader.isAnswering;
    const deadline = startDeadline({ ...this.#limits, isAnswering }, service, signal);
    try {
      return await withDeadline(deadline, this.#reader.ask(work));
    } catch (error) {
      this.#registrations.assertUsable(signal);
      throw zookeeperError(error, service);
    }
  }

  /** Those of the same instance are placed one after the other, so that the last is the one that stays. */
  #place(instance: ServiceInstance, ttl: number): Promise<Placement> {
    const path = this.#tree.pathOf(instance.service, instance.id);
    const before = this.#placing.get(path) ?? Promise.resolve();
    const placing = before.then(() => this.#placeNow(instance, ttl));
    const placed: Promise<unknown> = placing
      .catch(() => undefined)
      .then(() => this.#placing.get(path) === placed && this.#placing.delete(path));
    this.#placing.set(path, placed);
    return placing;
  }

  async #placeNow(instance: ServiceInstance, ttl: number): Promise<Placement> {
    try {
      return await this.#placeIn(this.#sessionOf(ttl), instance);
    } catch (error) {
      // It had run out while nobody looked.
      const isExpired = error instanceof ConnectError && error.kind === 'expired';
      if (isExpired && !this.#closed.signal.aborted) {
        return await this.#placeIn(this.#sessionOf(ttl), instance).catch((again: unknown) => {
          throw this.#typed(again, instance.service);
        });
      }
      throw this.#typed(error, instance.service);
    }
  }

  async #placeIn(session: LeaseSession, instance: ServiceInstance): Promise<Placement> {
    const node = new EphemeralNode(instance, session, this.#tree);
    await session.use(() => session.place(node));
    return node;
  }

  #sessionOf(ttl: number): LeaseSession {
    let session = this.#sessions.get(ttl);
    if (session === undefined) {
      session = new LeaseSession({
        ttl,
        connector: this.#connector,
        ...this.#limits,
        rng: this.#rng,
        logger: this.#logger,
        closed: this.#closed.signal,
        onEnd: (ended) => {
          if (this.#sessions.get(ttl) === ended) this.#sessions.delete(ttl);
        },
      });
      this.#sessions.set(ttl, session);
    }
    return session;
  }

  #typed(error: unknown, service: string): unknown {
    if (error instanceof ConfigValidationError) return error;
    return this.#closed.signal.aborted ? this.#closed.signal.reason : zookeeperError(error, service);
  }
}

function codecOf(codec: 'sd' | 'curator' | InstanceCodec): InstanceCodec {
  if (typeof codec === 'object') return codec;
  return codec === 'curator' ? curatorCodec : sdCodec;
}
