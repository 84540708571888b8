import type { Socket } from 'node:net';
import {
  Channel,
  connectivityState,
  Metadata,
  type ChannelCredentials,
  type Client,
  type ServiceError,
} from '@grpc/grpc-js';
import { onAbort, type Clock } from '@sd/core';
import { Host } from 'etcd3/lib/connection-pool.js';
import type { Services } from 'etcd3';
import { isOfServer } from './etcd-errors.ts';

export interface LinkOptions {
  readonly endpoint: string;
  readonly credentials: ChannelCredentials;
  /** That the certificate must have, instead of the host of the endpoint. */
  readonly servername?: string | undefined;
  readonly clock: Clock;
}

export type ServiceName = keyof typeof Services;

/**
 * One connection to one member of etcd. It is made once and used until it breaks: it does not reconnect, so whoever holds
 * it knows that all before came from the same member, and in the order of its history.
 */
export class Link {
  readonly endpoint: string;
  readonly #clock: Clock;
  readonly #channel: Channel;
  readonly #host: Host;
  readonly #closed = new AbortController();
  #socket: Socket | undefined;
  /** How to end each request under way: a listener on one signal for each would cost the square of their number. */
  readonly #pending = new Set<(reason: unknown) => void>();
  /** Of the clock's `monotonic()`: when it last said something. */
  #heardAt = -Infinity;
  /** When it was asked the first thing since. */
  #askedAt: number | undefined;

  constructor({ endpoint, credentials, servername, clock }: LinkOptions) {
    this.endpoint = endpoint;
    this.#clock = clock;
    const { protocol, host, hostname, port } = new URL(endpoint);
    const target = port === '' ? `${hostname}:${protocol === 'https:' ? 443 : 80}` : host;
    const named = servername === undefined ? {} : { 'grpc.ssl_target_name_override': servername };
    const seen = withSockets(credentials, (socket) => this.#connected(socket));
    this.#channel = new Channel(target, seen, { ...channelOptions, ...named });
    // All clients of etcd3 for this member over our channel, which we can look at and close.
    this.#host = new Host(target, credentials, { channelOverride: this.#channel });
  }

  /** Aborts, with the reason, when it breaks. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  get isOpen(): boolean {
    return !this.#closed.signal.aborted;
  }

  get heardAt(): number {
    return this.#heardAt;
  }

  /** Milliseconds for which it has owed an answer, and said nothing at all. */
  get silentMs(): number {
    return this.#askedAt === undefined ? 0 : this.#clock.monotonic() - this.#askedAt;
  }

  /** Whoever asks for something over it says so. */
  asked(): void {
    this.#askedAt ??= this.#clock.monotonic();
  }

  /** Whoever gets an answer over it says so. */
  heard(): void {
    this.#heardAt = this.#clock.monotonic();
    this.#askedAt = undefined;
  }

  /** @throws why there is no connection, in the words of the network; it is closed then */
  async connect(limitMs: number, signal: AbortSignal): Promise<void> {
    const timer = this.#clock.setTimer(
      () => this.close(new Error(`no connection within ${Math.round(limitMs)} ms`)),
      limitMs,
    );
    const forget = onAbort(signal, () => this.close(signal.reason));
    try {
      signal.throwIfAborted();
      for (;;) {
        const state = this.#channel.getConnectivityState(true);
        if (state === connectivityState.READY) break;
        // Only a request is told why; it is not sent.
        if (state === connectivityState.TRANSIENT_FAILURE) await this.unary('Maintenance', 'status', {});
        else await this.#change(state);
        this.#closed.signal.throwIfAborted();
      }
    } catch (error) {
      this.close(error);
      throw error;
    } finally {
      timer.cancel();
      forget();
    }
    void this.#change(connectivityState.READY).then(() =>
      this.close(new Error('the connection was closed by the server or the network')),
    );
  }

  client(service: ServiceName): Client {
    return this.#host.getServiceClient(service);
  }

  /** One request and its answer. @throws the error of gRPC, or the reason of the signal or of `closed` */
  unary<T>(
    service: ServiceName,
    method: string,
    payload: unknown,
    {
      metadata = new Metadata(),
      signal,
    }: { readonly metadata?: Metadata; readonly signal?: AbortSignal } = {},
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#closed.signal.throwIfAborted();
      const client = this.client(service);
      const send = Reflect.get(client, method) as UnaryMethod<T>;
      this.asked();
      const call = send.call(client, payload, metadata, {}, (error, answer) => {
        forget();
        this.#pending.delete(giveUp);
        if (error === null || !notAnswers.has(error.code) || isOfServer(error)) this.heard();
        if (error === null) resolve(answer);
        else reject(error);
      });
      const giveUp = (reason: unknown): void => {
        forget();
        this.#pending.delete(giveUp);
        reject(asError(reason));
        call.cancel();
      };
      this.#pending.add(giveUp);
      const forget = onAbort(signal, () => giveUp(signal?.reason));
    });
  }

  /** Everything under way rejects with this. Idempotent. */
  close(reason: unknown): void {
    if (!this.isOpen) return;
    this.#closed.abort(reason);
    for (const giveUp of [...this.#pending]) giveUp(reason);
    if (this.#channel.getConnectivityState(false) !== connectivityState.READY) this.#socket?.destroy();
    this.#channel.close();
    // It waits for the end of all streams, which a server that has sent nonsense may never let it see.
    setImmediate(() => this.#socket?.destroy());
  }

  #connected(socket: Socket): void {
    this.#socket = socket;
    if (!this.isOpen) socket.destroy();
  }

  #change(from: connectivityState): Promise<void> {
    return new Promise((resolve) => {
      if (!this.isOpen) resolve();
      else this.#channel.watchConnectivityState(from, Infinity, () => resolve());
    });
  }
}

/**
 * gRPC leaves a connection alone that is being made when its channel is closed: nobody has it then, and it stays open for
 * as long as the server keeps it.
 */
function withSockets(
  credentials: ChannelCredentials,
  onSocket: (socket: Socket) => void,
): ChannelCredentials {
  const seen = Object.create(credentials) as ChannelCredentials;
  seen._createSecureConnector = (...target) => {
    const connector = credentials._createSecureConnector(...target);
    const secure = connector.connect.bind(connector);
    connector.connect = (socket) => {
      onSocket(socket);
      return secure(socket);
    };
    return connector;
  };
  return seen;
}

type UnaryMethod<T> = (
  this: Client,
  payload: unknown,
  metadata: Metadata,
  options: object,
  callback: (error: ServiceError | null, answer: T) => void,
) => { cancel(): void };

const asError = (reason: unknown): Error =>
  reason instanceof Error ? reason : new Error(String(reason), { cause: reason });

/** Made by gRPC itself, unless they say otherwise: cancelled, deadline exceeded, unavailable. */
const notAnswers = new Set([1, 4, 14]);

const channelOptions = {
  // A connection of our own, that breaks when ours does.
  'grpc.use_local_subchannel_pool': 1,
  'grpc.enable_retries': 0,
  // All instances of a service come in one message; records are bounded one by one.
  'grpc.max_receive_message_length': 128 * 1_048_576,
};
