import type { Clock } from '@sd/core';
import { dirname } from 'node:path/posix';
import type { Connection } from './protocol/connection.ts';
import type { Connector } from './protocol/connector.ts';
import { newSession } from './protocol/handshake.ts';
import { isDenial } from './zookeeper-errors.ts';

export interface ReaderOptions {
  readonly connector: Connector;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly closed: AbortSignal;
}

export interface Watcher {
  /** The node of this path, or one below it, has changed. */
  onChange(path: string): void;
  /** Changes may have been missed, and none will be told any more. */
  onLost(error: unknown): void;
}

/** Nothing hangs on this session but watches, and they end with the connection: it may be short, in milliseconds. */
const sessionTimeoutMs = 10_000;

/** Until then everybody fails with the same. */
export interface Refusal {
  readonly error: unknown;
  readonly until: number;
}

/** After a failure everybody fails with it for so long, in milliseconds: callers may come by the thousand. */
const breathers = { unavailable: 100, denied: 500 };

/**
 * The connection that all lookups and watches share. It is made when it is needed and forgotten when it breaks: whoever
 * needs it next makes another one, with a session of its own.
 */
export class Reader {
  readonly #options: ReaderOptions;
  /** By the path of a service. */
  readonly #watchers = new Map<string, Watcher>();
  #session = newSession();
  #connection: Connection | undefined;
  #connecting: Promise<Connection> | undefined;
  #refused: Refusal | undefined;
  /** Paths that we lack a right to. */
  readonly #denied = new Map<string, Refusal>();

  constructor(options: ReaderOptions) {
    this.#options = options;
  }

  /** A connection that was there may turn out to be lost: then another one is asked. */
  async ask<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
    const known = this.#connection;
    try {
      return await work(await this.connection());
    } catch (error) {
      if (known === undefined || known.isOpen) throw error;
      return work(await this.connection());
    }
  }

  async connection(): Promise<Connection> {
    const { clock, closed } = this.#options;
    closed.throwIfAborted();
    if (this.#connection?.isOpen === true) return this.#connection;
    if (this.#refused !== undefined && clock.monotonic() < this.#refused.until) throw this.#refused.error;
    this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined));
    return this.#connecting;
  }

  /** A watch that begins soon after it was denied is denied without asking. */
  deny(path: string, error: unknown): void {
    this.#denied.set(path, refusal(error, this.#options.clock));
  }

  /** What it was denied with a moment ago. */
  denialOf(path: string): unknown {
    const denied = this.#denied.get(path);
    if (denied !== undefined && this.#options.clock.monotonic() < denied.until) return denied.error;
    this.#denied.delete(path);
    return undefined;
  }

  /** @returns whether it still was there to be removed */
  watch(path: string, watcher: Watcher): () => boolean {
    this.#watchers.set(path, watcher);
    return () => this.#watchers.get(path) === watcher && this.#watchers.delete(path);
  }

  get isAnswering(): boolean {
    return this.#connection?.isAnswering === true;
  }

  close(): void {
    this.#connection?.close({ endSession: true });
    this.#connection = undefined;
  }

  async #connect(): Promise<Connection> {
    const { connector, timeoutMs, clock, closed } = this.#options;
    try {
      // A session of its own, but no server that is behind what was seen before.
      const { lastZxid, refusals } = this.#session;
      this.#session = { ...newSession(lastZxid), refusals };
      const limits = { sessionTimeoutMs, silenceMs: timeoutMs };
      const connection = await connector.open(this.#session, limits, closed);
      if (closed.aborted) connection.close({ endSession: true });
      closed.throwIfAborted();
      this.#connection = connection;
      this.#refused = undefined;
      connection.listen({
        onEvent: (path) => this.#tell(path),
        onLost: (error) => this.#lose(connection, error),
      });
      return connection;
    } catch (error) {
      this.#refused = refusal(error, clock);
      throw error;
    }
  }

  #tell(path: string): void {
    (this.#watchers.get(path) ?? this.#watchers.get(dirname(path)))?.onChange(path);
  }

  #lose(connection: Connection, error: Error): void {
    if (this.#connection === connection) this.#connection = undefined;
    const watchers = [...this.#watchers.values()];
    this.#watchers.clear();
    for (const watcher of watchers) watcher.onLost(error);
  }
}

export function refusal(error: unknown, clock: Clock): Refusal {
  const pauseMs = isDenial(error) ? breathers.denied : breathers.unavailable;
  return { error, until: clock.monotonic() + pauseMs };
}
