import { BackendUnavailableError, ClosedError, type Clock, type Rng, type Timer } from '@sd/core';
import type { Redis } from 'ioredis';
import { connected, disconnect, disconnected, type Connection } from './connection.ts';
import type { Connector } from './connector.ts';
import { noConnection, redisError } from './redis-errors.ts';
import { guardReplies } from './reply-guard.ts';

export interface SubscriberOptions {
  readonly connection: Connection;
  readonly connector: Connector;
  readonly prefix: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly rng: Rng;
}

export interface ChannelListener {
  onMessage(message: string): void;
  /** The subscription is over. Messages may have been missed before, and none will come any more. */
  onLost(error: unknown): void;
}

/**
 * The one connection that all subscriptions of a backend share. It is made for the first of them. When it breaks, all
 * are told and forgotten: the next one makes another connection.
 */
export class Subscriber {
  readonly #options: SubscriberOptions;
  readonly #closed = new AbortController();
  readonly #listeners = new Map<string, ChannelListener>();
  #connecting: Promise<Redis> | undefined;
  #client: Redis | undefined;
  #probe: Timer | undefined;

  constructor(options: SubscriberOptions) {
    this.#options = options;
  }

  /** Resolves when Redis has confirmed it: what is published from then on is heard, or `onLost()` is called. */
  async subscribe(channel: string, listener: ChannelListener): Promise<void> {
    try {
      const client = await this.#connected();
      this.#listeners.set(channel, listener);
      if (this.#probe === undefined) this.#probeLater(client);
      await client.subscribe(channel);
    } catch (error) {
      if (this.#listeners.get(channel) === listener) this.#listeners.delete(channel);
      if (this.#listeners.size === 0) this.#stopProbing();
      throw this.#typed(error);
    }
  }

  unsubscribe(channel: string, listener: ChannelListener): void {
    if (this.#listeners.get(channel) !== listener) return;
    this.#listeners.delete(channel);
    if (this.#listeners.size === 0) this.#stopProbing();
    const client = this.#client;
    client?.unsubscribe(channel).catch((error: unknown) => {
      // Without the right to unsubscribe, its messages go on to come, and nobody listens.
      if (client.status !== 'ready') this.#lost(client, error);
    });
  }

  /** Resolves when the socket is closed. Idempotent. */
  async close(): Promise<void> {
    if (!this.#closed.signal.aborted) this.#closed.abort(new ClosedError('The redis backend'));
    await this.#connecting?.catch(() => undefined); // those who wait for it have been told
    const client = this.#client;
    if (client === undefined) return;
    this.#lost(client, this.#closed.signal.reason);
    await disconnected(client);
  }

  #connected(): Promise<Redis> {
    this.#closed.signal.throwIfAborted();
    if (this.#client !== undefined) return Promise.resolve(this.#client);
    this.#connecting ??= this.#connect().finally(() => (this.#connecting = undefined));
    return this.#connecting; // closing ends it
  }

  async #connect(): Promise<Redis> {
    const { connection, connector, rng } = this.#options;
    const client = connector.subscriber(await connection.client(), rng);
    guardReplies(client, { isOfMessages: true });
    await connected(client, this.#closed.signal, this.#options).catch((error: unknown) => {
      throw noConnection(error, connector);
    });
    this.#client = client;
    client.on('message', (channel, message) => this.#listeners.get(channel)?.onMessage(message));
    client.once('end', () => this.#lost(client, new Error('the connection for subscriptions was closed')));
    return client;
  }

  /** A quiet connection may be a dead one; an answer that does not come makes ioredis close it. */
  #probeLater(client: Redis): void {
    const { clock, timeoutMs } = this.#options;
    const probe = clock.setTimer(() => {
      client.ping().then(
        () => this.#probe === probe && this.#probeLater(client),
        (error: unknown) => this.#lost(client, error),
      );
    }, timeoutMs);
    this.#probe = probe;
  }

  #stopProbing(): void {
    this.#probe?.cancel();
    this.#probe = undefined;
  }

  #lost(client: Redis, error: unknown): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#stopProbing();
    disconnect(client);
    const listeners = [...this.#listeners.values()];
    this.#listeners.clear();
    const reason = this.#typed(error);
    for (const listener of listeners) listener.onLost(reason);
  }

  #typed(error: unknown): unknown {
    if (this.#closed.signal.aborted) return this.#closed.signal.reason;
    if (error instanceof BackendUnavailableError) return error;
    const { prefix, connector } = this.#options;
    const { username, secrets } = connector;
    return redisError(error, { prefix, username, secrets });
  }
}
