import {
  abortable,
  AccessDeniedError,
  BackendUnavailableError,
  ClosedError,
  onAbort,
  TimeLimit,
  type Clock,
} from '@sd/core';
import type { Cluster, Redis } from 'ioredis';
import type { Connector } from './connector.ts';
import { isOfWrongServer, noConnection, redisError, type ErrorSource } from './redis-errors.ts';
import { guardReplies } from './reply-guard.ts';
import type { Script } from './script.ts';

export interface ConnectionOptions {
  readonly connector: Connector;
  readonly prefix: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
}

/**
 * After a failure to connect, everybody fails with it for so long, in milliseconds: callers may come by the thousand, and
 * where we are refused, somebody must change something first.
 */
const breathers = { unavailable: 50, denied: 500 };

/** So many scripts, of so many services in a Cluster, are remembered as known: a lookup may be for any name. */
const maxLoaded = 10_000;

/**
 * The connection that commands go through. It is made when it is needed and forgotten when it breaks: whoever needs it
 * next makes another one. So it has no retries of its own, and no command waits in a queue for better times.
 */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #closed = new AbortController();
  /** How to end each request under way: a listener on one signal for each would cost the square of their number. */
  readonly #pending = new Set<(error: unknown) => void>();
  /** Scripts that this connection has run, or is about to have run: others wait for the first, and need not send it. */
  readonly #loaded = new Map<string, Promise<unknown> | true>();
  #connecting: Promise<Redis | Cluster> | undefined;
  #client: Redis | Cluster | undefined;
  #refused: { readonly error: unknown; readonly until: number } | undefined;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /**
   * Runs a script on these keys, which lie in one slot.
   * @throws {AccessDeniedError} {@link BackendUnavailableError}, {@link ClosedError}, or the reason of the signal
   */
  async run(
    script: Script,
    keys: readonly string[],
    args: readonly (string | number)[],
    { service, signal }: { readonly service?: string; readonly signal?: AbortSignal | undefined } = {},
  ): Promise<unknown> {
    const { name, sha, source } = script;
    const { timeoutMs } = this.#options;
    const evaluate = async (client: Redis | Cluster): Promise<unknown> => {
      try {
        return await client.evalsha(sha, keys.length, ...keys, ...args);
      } catch (error) {
        // New to this server, or it has forgotten all scripts (SCRIPT FLUSH, a restart, a fail-over).
        if (!(error instanceof Error) || !error.message.includes('NOSCRIPT')) throw error;
        return await client.eval(source, keys.length, ...keys, ...args);
      }
    };
    const command = async (client: Redis | Cluster, isOver: () => boolean): Promise<unknown> => {
      // Each node of a Cluster learns it by itself: one that does not answer holds up nobody who asks for other keys.
      const place = client.isCluster ? `${sha} ${keys[0]}` : sha;
      const loaded = this.#loaded.get(place);
      if (loaded === undefined) {
        if (this.#loaded.size >= maxLoaded) this.#loaded.clear();
        const first = evaluate(client);
        const done = (): void => void this.#loaded.set(place, true);
        this.#loaded.set(place, first.then(done, done));
        return first;
      }
      if (loaded !== true) await loaded;
      return isOver() ? undefined : evaluate(client);
    };
    try {
      const problem = `no answer to "${name}" within ${timeoutMs} ms`;
      return await this.#within(problem, signal, (isOver) => this.#send(command, isOver));
    } catch (error) {
      if (signal?.aborted === true && error === signal.reason) throw error;
      throw this.#typed(error, { service, keys, commands: script.commands });
    }
  }

  /** A connection that was there already may turn out to be closed; our scripts may be run twice, so another is tried. */
  async #send(
    command: (client: Redis | Cluster, isOver: () => boolean) => Promise<unknown>,
    isOver: () => boolean,
  ): Promise<unknown> {
    const known = this.#client;
    const client = known ?? (await this.client());
    if (isOver()) return undefined;
    try {
      return await command(client, isOver);
    } catch (error) {
      const closed = client.status !== 'ready' || isUnwritable(error);
      if (closed || isOfWrongServer(error)) this.#forget(client);
      if (!closed || known === undefined) throw error;
      const next = await this.client();
      return isOver() ? undefined : command(next, isOver);
    }
  }

  /** The client, connected. */
  async client(): Promise<Redis | Cluster> {
    this.#closed.signal.throwIfAborted();
    if (this.#client !== undefined) return this.#client;
    const now = this.#options.clock.monotonic();
    if (this.#refused !== undefined && now < this.#refused.until) throw this.#refused.error;
    this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined));
    return this.#connecting;
  }

  /** Breaks the connection; everything under way rejects. Resolves when its socket is closed. Idempotent. */
  async close(): Promise<void> {
    const closed = new ClosedError('The redis backend');
    if (!this.#closed.signal.aborted) this.#closed.abort(closed);
    for (const giveUp of this.#pending) giveUp(closed);
    await this.#connecting?.catch(() => undefined); // those who wait for it have been told
    const client = this.#client;
    this.#client = undefined;
    if (client !== undefined) await disconnected(client);
  }

  async #connect(): Promise<Redis | Cluster> {
    const { connector, clock } = this.#options;
    const client = connector.commands();
    try {
      guardReplies(client, { isOfMessages: false });
      await connected(client, this.#closed.signal, this.#options);
    } catch (error) {
      const refusal = this.#typed(noConnection(error, connector));
      const pauseMs = refusal instanceof AccessDeniedError ? breathers.denied : breathers.unavailable;
      this.#refused = { error: refusal, until: clock.monotonic() + pauseMs };
      throw refusal;
    }
    this.#client = client;
    this.#loaded.clear();
    this.#refused = undefined;
    client.once('end', () => this.#forget(client));
    return client;
  }

  #forget(client: Redis | Cluster): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    disconnect(client);
  }

  #typed(error: unknown, about: Pick<ErrorSource, 'service' | 'keys' | 'commands'> = {}): unknown {
    if (this.#closed.signal.aborted) return this.#closed.signal.reason;
    const { prefix, connector } = this.#options;
    const { username, secrets } = connector;
    return redisError(error, { prefix, username, secrets, ...about });
  }

  /**
   * Nobody waits longer than the time limit, than the signal allows, or than the connection is open. What has not been
   * sent by then must not be sent any more.
   */
  #within<T>(
    problem: string,
    signal: AbortSignal | undefined,
    work: (isOver: () => boolean) => Promise<T>,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      signal?.throwIfAborted();
      this.#closed.signal.throwIfAborted();
      const { clock, timeoutMs } = this.#options;
      const giveUp = (error: unknown): void => {
        end();
        reject(error);
      };
      const timer = clock.setTimer(() => giveUp(new BackendUnavailableError('redis', problem)), timeoutMs);
      const forget = onAbort(signal, () => giveUp(signal?.reason));
      let over = false;
      const end = (): void => {
        over = true;
        timer.cancel();
        forget();
        this.#pending.delete(giveUp);
      };
      this.#pending.add(giveUp);
      work(() => over).then((value) => {
        end();
        resolve(value);
      }, giveUp);
    });
  }
}

/**
 * Connects a client; what it then says of itself is heard by nobody else.
 * @throws why it could not, in the words of Redis or of the network
 */
export async function connected(
  client: Redis | Cluster,
  closed: AbortSignal,
  { clock, timeoutMs }: Pick<ConnectionOptions, 'clock' | 'timeoutMs'>,
): Promise<void> {
  let problem: Error | undefined;
  client.on('error', (error: Error) => (problem = error));
  // A sentinel that does not answer is waited for by ioredis without a limit.
  const tooLate = (): Error => new Error(`no connection within ${timeoutMs} ms`);
  const limit = new TimeLimit(clock, timeoutMs, tooLate, closed);
  try {
    await abortable(client.connect(), limit.signal);
    closed.throwIfAborted();
    // A database that was refused (SELECT) is no failure for ioredis: it would go on in number 0.
    if (problem !== undefined) throw problem;
  } catch (error) {
    disconnect(client);
    throw closed.aborted ? closed.reason : (problem ?? error);
  } finally {
    limit.end();
  }
}

export async function disconnected(client: Redis | Cluster): Promise<void> {
  if (isOver(client)) return;
  const ended = new Promise<void>((resolve) => void client.once('end', () => resolve()));
  disconnect(client);
  await ended;
}

/** On a client that is disconnected already ioredis would wait 2 s for its socket to close, and the process with it. */
export function disconnect(client: Redis | Cluster): void {
  if (!isOver(client)) client.disconnect();
}

/** The server has closed it, and ioredis has not noticed yet. */
const isUnwritable = (error: unknown): boolean =>
  error instanceof Error && error.message.includes("Stream isn't writeable");

const isOver = ({ status }: Redis | Cluster): boolean => status === 'end' || status === 'close';
