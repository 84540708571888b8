import { Backoff, type Clock, type DiscoveryLogger, type LeaseLoss, type Rng, type Timer } from '@sd/core';
import type { Limits } from './deadline.ts';
import type { EphemeralNode } from './ephemeral-node.ts';
import { ConnectError } from './protocol/connect-error.ts';
import type { Connection } from './protocol/connection.ts';
import type { Connector } from './protocol/connector.ts';
import { isDoubtful, newSession } from './protocol/handshake.ts';
import { exists, remove, sync } from './protocol/requests.ts';
import { hasCode, ZooKeeperError } from './protocol/zookeeper-error.ts';
import { refusal, type Refusal } from './reader.ts';
import { isDenial } from './zookeeper-errors.ts';

export interface LeaseSessionOptions {
  /** Of all that it holds, in milliseconds. */
  readonly ttl: number;
  readonly connector: Connector;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger: DiscoveryLogger;
  /** Of the backend; aborts with a `ClosedError`. */
  readonly closed: AbortSignal;
  /** Nothing hangs on it any more, or ZooKeeper has ended it. */
  readonly onEnd: (session: LeaseSession) => void;
}

/**
 * One session of ZooKeeper, which all instances of one ttl hang on. It is kept over lost connections for as long as
 * ZooKeeper keeps it; what hangs on it is lost with it.
 */
export class LeaseSession {
  readonly #options: LeaseSessionOptions;
  readonly #session = newSession();
  readonly #nodes = new Map<string, EphemeralNode>();
  /** Paths that may have a node of ours which nobody wants. */
  readonly #unwanted = new Set<string>();
  /** What was in the place of a node that is being placed. */
  readonly #previous = new WeakMap<EphemeralNode, EphemeralNode>();
  readonly #backoff: Backoff;
  /** All that hangs on the session was found over it, or lost. */
  #connection: Connection | undefined;
  #connecting: Promise<Connection> | undefined;
  #refused: Refusal | undefined;
  #retry: Timer | undefined;
  #users = 0;
  #isFailing = false;
  #isOver = false;

  constructor(options: LeaseSessionOptions) {
    const { ttl, rng } = options;
    this.#options = options;
    this.#backoff = new Backoff({ baseMs: 50, capMs: Math.min(2_000, ttl / 3), rng });
  }

  get id(): bigint {
    return this.#session.id;
  }

  get limits(): Limits {
    const { clock, timeoutMs } = this.#options;
    return { clock, timeoutMs, isAnswering: () => this.isAnswering };
  }

  get isAnswering(): boolean {
    return this.#connection?.isAnswering === true;
  }

  /** What everything is refused with when the backend is closed. */
  get closedError(): Error | undefined {
    const { closed } = this.#options;
    return closed.reason instanceof Error ? closed.reason : undefined;
  }

  /** It does not end while `work` is under way. */
  async use<T>(work: () => Promise<T>): Promise<T> {
    this.#users += 1;
    try {
      return await work();
    } finally {
      this.#users -= 1;
      this.#endIfUnused();
    }
  }

  /** A connection that was there may turn out to be lost. What we ask may be asked twice, so then it is. */
  async ask<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const known = this.#connection;
    try {
      return await work(await this.#connected());
    } catch (error) {
      if (known === undefined || known.isOpen) throw error;
      return work(await this.#connected());
    }
  }

  async #connected(): Promise<Connection> {
    const { clock } = this.#options;
    this.#assertInUse();
    if (this.#connection?.isOpen === true) return this.#connection;
    if (this.#refused !== undefined && clock.monotonic() < this.#refused.until) throw this.#refused.error;
    return this.#open();
  }

  #assertInUse(): void {
    this.#options.closed.throwIfAborted();
    if (this.#isOver) throw new ConnectError('expired', 'the session has ended');
  }

  #open(): Promise<Connection> {
    this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined));
    return this.#connecting;
  }

  /** Places the node; when that fails, the one that was in its place stays. */
  async place(node: EphemeralNode): Promise<void> {
    const previous = this.#nodes.get(node.path);
    if (previous !== undefined) this.#previous.set(node, previous);
    this.#nodes.set(node.path, node);
    try {
      await node.place();
      this.#unwanted.delete(node.path);
      this.#placedBefore(node)?.lose('replaced');
      this.#previous.delete(node);
    } catch (error) {
      if (this.#nodes.get(node.path) !== node) {
        // The session has ended, which told nobody but the node that was to take its place.
        if (this.#isOver) previous?.lose('expired');
        throw error;
      }
      const before = this.#placedBefore(node);
      this.#previous.delete(node);
      this.removeLater(node);
      if (before !== undefined) {
        this.#unwanted.delete(node.path);
        this.#nodes.set(node.path, before);
        before.onChange(this.#connection);
      }
      throw error;
    }
  }

  /** The last one that has succeeded: those in between have failed as well. */
  #placedBefore(node: EphemeralNode): EphemeralNode | undefined {
    let before = this.#previous.get(node);
    while (before !== undefined && !before.isPlaced()) before = this.#previous.get(before);
    return before;
  }

  /** It hangs on the session no more. */
  forget(node: EphemeralNode): void {
    if (this.#nodes.get(node.path) !== node) return;
    this.#nodes.delete(node.path);
    this.#endIfUnused();
  }

  /** As `forget()`, for one that may still be there. */
  removeLater(node: EphemeralNode): void {
    if (this.#nodes.get(node.path) !== node) return;
    this.#unwanted.add(node.path);
    this.forget(node);
  }

  /** @param version that it probably has */
  async remove(connection: Connection, node: EphemeralNode, version: number): Promise<void> {
    const holder = this.#nodes.get(node.path);
    // Unless a later registration of the same has it now. Nobody waits for a removal any more that comes too late.
    if (holder !== node && (holder !== undefined || !this.#unwanted.has(node.path))) return;
    await this.#removeOwn(connection, node.path, version);
    this.#unwanted.delete(node.path);
  }

  /** Without a goodbye: what hangs on the session ends when ZooKeeper has not heard of it for its ttl. */
  close(): void {
    this.#isOver = true;
    this.#retry?.cancel();
    this.#connection?.close();
    this.#connection = undefined;
  }

  async #removeOwn(connection: Connection, path: string, version: number): Promise<void> {
    const holder = this.#nodes.get(path);
    for (let next = version; ;) {
      try {
        await connection.send(remove(path, next));
        return;
      } catch (error) {
        if (hasCode(error, 'NoNode')) return;
        if (!hasCode(error, 'BadVersion')) throw error;
        const stat = await connection.send(exists(path)).catch((missing: unknown) => {
          if (hasCode(missing, 'NoNode')) return undefined;
          throw missing;
        });
        if (stat?.ephemeralOwner !== this.id || this.#nodes.get(path) !== holder) return;
        next = stat.version;
      }
    }
  }

  async #connect(): Promise<Connection> {
    const { connector, ttl, timeoutMs, closed, clock } = this.#options;
    this.#retry?.cancel();
    try {
      const limits = { sessionTimeoutMs: ttl, silenceMs: timeoutMs };
      const connection = await connector.open(this.#session, limits, closed);
      await this.#resume(connection);
      this.#succeeded(connection);
      return connection;
    } catch (error) {
      if (closed.aborted) throw closed.reason;
      if (error instanceof ConnectError && error.kind === 'expired') {
        // Refused before, as behind what we had seen, and now unknown: the data are not those that we knew.
        this.#expire(isDoubtful(this.#session) ? 'store-lost' : 'expired');
        throw error;
      }
      this.#refused = refusal(error, clock);
      this.#failed(error);
      throw error;
    }
  }

  async #resume(connection: Connection): Promise<void> {
    const { closed, ttl, logger } = this.#options;
    connection.listen({
      onEvent: (path) => this.#nodes.get(path)?.onChange(connection),
      onLost: (error) => this.#lose(connection, error),
    });
    const given = connection.sessionTimeoutMs;
    if (given !== ttl && !this.#isFailing) {
      const what = given > ttl ? 'stay longer after their provider has died' : 'must be renewed more often';
      logger.warn(`ZooKeeper gives a session of ${given} ms where ${ttl} were asked for: instances ${what}`);
    }
    try {
      this.#assertInUse();
      // This server may not know yet what another one was told.
      const synced = this.#nodes.size > 0 ? connection.send(sync('/')) : undefined;
      const unwanted = [...this.#unwanted].map(async (path) => {
        // No node has this version: it is looked up whose it is.
        if (!this.#nodes.has(path))
          await this.#removeOwn(connection, path, -2).catch((error: unknown) => {
            if (!(error instanceof ZooKeeperError)) throw error; // who may not remove it could not create it either
          });
        this.#unwanted.delete(path);
      });
      const placed = [...this.#nodes.values()].map((node) => node.check(connection));
      await Promise.all([synced, ...unwanted, ...placed]);
      if (!connection.isOpen) throw new Error('the server closed the connection');
      this.#assertInUse();
    } catch (error) {
      connection.close({ endSession: this.#isOver && !closed.aborted });
      throw error;
    }
  }

  #succeeded(connection: Connection): void {
    const { logger } = this.#options;
    this.#connection = connection;
    this.#refused = undefined;
    this.#backoff.reset();
    if (this.#isFailing) logger.info('ZooKeeper keeps registrations again');
    this.#isFailing = false;
    this.#endIfUnused();
  }

  #lose(connection: Connection, error: Error): void {
    if (this.#connection !== connection) return; // whoever is connecting comes to know it
    this.#connection = undefined;
    this.#failed(error);
    this.#endIfUnused();
  }

  /** For as long as something hangs on the session, it is resumed. */
  #failed(error: unknown): void {
    const { logger, clock } = this.#options;
    if (this.#nodes.size === 0 || this.#isOver) return;
    if (!this.#isFailing) {
      const count = this.#nodes.size;
      logger.warn(
        `The session of ${count} registrations has no connection to ZooKeeper; connecting until it has`,
        {
          error,
        },
      );
    }
    this.#isFailing = true;
    this.#retry?.cancel();
    this.#retry = clock.setTimer(() => void this.#open().catch(() => undefined), this.#pauseMs(error));
  }

  #pauseMs(error: unknown): number {
    const { clock, rng } = this.#options;
    if (isDenial(error)) return 500 + 500 * rng();
    // It is asked again at once: then it has ended the session, or shows whether it has lost its data.
    if (this.#session.refusals > 0) return 100 * rng();
    const breather = (this.#refused?.until ?? 0) - clock.monotonic();
    return Math.max(breather, this.#backoff.next());
  }

  #expire(loss: LeaseLoss): void {
    const { onEnd } = this.#options;
    this.close();
    onEnd(this);
    for (const node of [...this.#nodes.values()]) node.lose(loss);
  }

  #endIfUnused(): void {
    const { closed, onEnd } = this.#options;
    if (this.#users > 0 || this.#nodes.size > 0 || this.#isOver || closed.aborted) return;
    const connection = this.#connection;
    this.#connection = undefined;
    connection?.close({ endSession: true });
    this.close();
    onEnd(this);
  }
}
