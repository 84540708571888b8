import {
  BackendUnavailableError,
  type HeldLease,
  type LeaseLoss,
  type Placement,
  type ServiceInstance,
} from '@sd/core';
import { startDeadline, withDeadline } from './deadline.ts';
import type { LeaseSession } from './lease-session.ts';
import type { Connection } from './protocol/connection.ts';
import { create, exists, multi, remove, setData, type Stat } from './protocol/requests.ts';
import { hasCode, ZooKeeperError } from './protocol/zookeeper-error.ts';
import { maxAttempts, type Tree } from './tree.ts';
import { zookeeperError } from './zookeeper-errors.ts';

/**
 * The node of one instance, which ends with its session. It is watched, so that its owner learns when somebody else
 * deletes or replaces it; what somebody else writes into it is overwritten with what its owner wrote last.
 */
export class EphemeralNode implements Placement {
  readonly path: string;
  readonly #session: LeaseSession;
  readonly #tree: Tree;
  readonly #service: string;
  #text: string;
  /** Of the data, as we wrote them last. */
  #version = 0;
  #state: 'placing' | 'placed' | 'lost' | 'removed' = 'placing';
  /** The connection that told, while it was still being placed, that it has changed. */
  #touchedOn: Connection | undefined;
  #lease: HeldLease | undefined;
  #loss: LeaseLoss | undefined;
  /** Writes are done one after the other. */
  #work: Promise<unknown> = Promise.resolve();
  #writes = 0;
  #epoch = 0;
  /** What was found while it was being written, which may have been written by somebody else. */
  #doubt: { readonly connection: Connection; readonly version: number } | undefined;

  /** @throws {ConfigValidationError} what a node cannot hold */
  constructor(instance: ServiceInstance, session: LeaseSession, tree: Tree) {
    const { service, id } = instance;
    this.#session = session;
    this.#tree = tree;
    this.#service = service;
    this.path = tree.pathOf(service, id);
    this.#text = tree.encode(instance);
  }

  /** Creates it, or takes over what is in its place. */
  async place(): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const stat = await this.#session.ask((connection) => this.#tryToPlace(connection));
      if (stat !== undefined) {
        this.#version = stat.version;
        this.#state = 'placed';
        this.onChange(this.#touchedOn);
        return;
      }
      if (attempt < maxAttempts) continue;
      const problem = `"${this.path}" is created and deleted by others all the time`;
      throw new BackendUnavailableError('zookeeper', problem, { service: this.#service });
    }
  }

  isPlaced(): boolean {
    return this.#state === 'placed';
  }

  /** From now on its loss is that of the lease. */
  hold(lease: HeldLease): void {
    this.#lease = lease;
    if (this.#loss !== undefined) lease.drop(this.#loss);
  }

  async write(instance: ServiceInstance): Promise<LeaseLoss | undefined> {
    const text = this.#tree.encode(instance);
    try {
      await this.#inTurn((connection) => this.#write(connection, text));
    } catch (error) {
      if (this.#loss === undefined) throw error;
    }
    return this.#loss;
  }

  /** Only while it is ours. When ZooKeeper cannot be reached, it is removed when the session is back, or ends with that. */
  async remove(): Promise<void> {
    if (this.#state !== 'placed') return;
    this.#state = 'removed';
    try {
      await this.#inTurn((connection) => this.#session.remove(connection, this, this.#version));
    } catch (error) {
      this.#session.removeLater(this);
      throw error;
    }
    this.#session.forget(this);
  }

  /** Something has happened to it, as this connection tells. */
  onChange(connection: Connection | undefined): void {
    if (this.#state === 'placing') this.#touchedOn = connection;
    if (this.#state !== 'placed' || connection === undefined) return;
    // When that breaks meanwhile, all is checked over the next one.
    this.check(connection).catch(() => undefined);
  }

  /** Looks whether it is still ours and as we left it, and watches it anew. @throws when the connection breaks */
  async check(connection: Connection): Promise<void> {
    if (!this.isPlaced()) return;
    const epoch = this.#epoch;
    const isQuiet = this.#writes === 0;
    const found = await this.#find(connection);
    if (!this.isPlaced()) return;
    if (typeof found === 'string') {
      this.lose(found);
      return;
    }
    if (!isQuiet || epoch !== this.#epoch) {
      this.#doubt = { connection, version: found.version };
      this.#resolveDoubt();
      return;
    }
    if (found.version === this.#version) return;
    try {
      const { version } = await connection.send(setData(this.path, this.#text, found.version));
      if (epoch === this.#epoch) this.#version = version;
    } catch (error) {
      // Whatever it was that changed it meanwhile is told as well; and a right that we lack will not come by asking.
      if (!(error instanceof ZooKeeperError)) throw error;
    }
  }

  lose(loss: LeaseLoss): void {
    if (this.#state === 'lost' || this.#state === 'removed') return;
    this.#state = 'lost';
    this.#loss = loss;
    this.#session.forget(this);
    this.#lease?.drop(loss);
  }

  /** Once nothing is being written. */
  #resolveDoubt(): void {
    const { connection, version } = this.#doubt ?? {};
    if (this.#writes > 0) return;
    this.#doubt = undefined;
    if (version !== undefined && version !== this.#version) this.onChange(connection);
  }

  async #write(connection: Connection, text: string): Promise<void> {
    for (let attempt = 1; this.#state === 'placed'; attempt += 1) {
      try {
        const { version } = await connection.send(setData(this.path, text, this.#version));
        this.#version = version;
        this.#text = text;
        return;
      } catch (error) {
        let found: Stat | LeaseLoss;
        if (hasCode(error, 'NoNode')) found = 'deleted';
        else if (!hasCode(error, 'BadVersion') || attempt === maxAttempts) throw error;
        else found = await this.#find(connection);
        if (typeof found === 'string') this.lose(found);
        else this.#version = found.version;
      }
    }
  }

  async #tryToPlace(connection: Connection): Promise<Stat | undefined> {
    const prepared = this.#tree.prepare(connection, this.#service);
    const denial = await prepared;
    const creating = create(this.path, { data: this.#text, acl: this.#tree.acl, kind: 'ephemeral' });
    const [created, seen] = await Promise.allSettled([
      connection.send(creating),
      connection.send(exists(this.path, true)),
    ]);
    if (created.status === 'fulfilled') return this.#ours(seen);
    if (hasCode(created.reason, 'NoNode')) {
      this.#tree.unprepare(this.#service, prepared);
      if (denial !== undefined) throw denial;
      return undefined;
    }
    if (!hasCode(created.reason, 'NodeExists')) throw created.reason;
    if (seen.status === 'rejected') return this.#ours(seen);
    const { version } = seen.value;
    const taking =
      this.#ours(seen) === undefined
        ? multi([remove(this.path, version), creating], this.path)
        : setData(this.path, this.#text, version);
    const [taken, after] = await Promise.allSettled([
      connection.send<unknown>(taking),
      connection.send(exists(this.path, true)),
    ]);
    if (taken.status === 'fulfilled') return this.#ours(after);
    if (hasCode(taken.reason, 'BadVersion', 'NoNode', 'NodeExists')) return undefined;
    throw taken.reason;
  }

  #ours(seen: PromiseSettledResult<Stat>): Stat | undefined {
    if (seen.status === 'fulfilled') {
      return seen.value.ephemeralOwner === this.#session.id ? seen.value : undefined;
    }
    if (hasCode(seen.reason, 'NoNode')) return undefined;
    throw seen.reason;
  }

  async #find(connection: Connection): Promise<Stat | 'deleted' | 'replaced'> {
    try {
      const stat = await connection.send(exists(this.path, true));
      return stat.ephemeralOwner === this.#session.id ? stat : 'replaced';
    } catch (error) {
      if (hasCode(error, 'NoNode')) return 'deleted';
      throw error;
    }
  }

  /** @throws {DiscoveryError} also when it takes too long: then it goes on, and nobody knows what will become of it */
  async #inTurn<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    this.#writes += 1;
    const ask = (): Promise<T> => this.#session.ask(work);
    const turn = this.#work.then(ask).finally(() => {
      this.#writes -= 1;
      this.#epoch += 1;
      this.#resolveDoubt();
    });
    this.#work = turn.catch(() => undefined);
    try {
      return await withDeadline(startDeadline(this.#session.limits, this.#service), turn);
    } catch (error) {
      throw this.#session.closedError ?? zookeeperError(error, this.#service);
    }
  }
}
