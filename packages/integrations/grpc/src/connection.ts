import { connectivityState, type experimental } from '@grpc/grpc-js';
import { takesRequests, type Clock, type Timer } from '@sd/core';
import type { Endpoint } from '@sd/load-balancers';

/** `failed` until it opens, whatever it tries in between: callers shall not wait for each attempt anew. */
export type ConnectionPhase = 'idle' | 'connecting' | 'failed' | 'ready';

export interface ConnectionOwner {
  readonly clock: Clock;
  readonly connectTimeoutMs: number;
  /** Hears of each phase that a connection enters. */
  entered(connection: Connection, before: ConnectionPhase, error: string | undefined): void;
}

/** The connection of a channel to one endpoint: a subchannel of grpc-js, which reconnects with its own backoff. */
export class Connection {
  readonly endpoint: Endpoint;
  readonly subchannel: experimental.SubchannelInterface;
  readonly #owner: ConnectionOwner;
  #phase: ConnectionPhase;
  #timer: Timer | undefined;

  constructor(endpoint: Endpoint, subchannel: experimental.SubchannelInterface, owner: ConnectionOwner) {
    this.endpoint = endpoint;
    this.subchannel = subchannel;
    this.#owner = owner;
    // Another channel may have it already.
    this.#phase = phaseOf(subchannel.getConnectivityState());
    subchannel.ref();
    subchannel.addConnectivityStateListener(this.#changed);
    if (this.#phase === 'connecting') this.#limitTime();
  }

  /** Hot path. */
  get phase(): ConnectionPhase {
    return this.#phase;
  }

  /** Connects, unless it does already. */
  open(): void {
    if (this.#phase === 'idle') this.#enter('connecting');
  }

  /** Calls under way on it finish. */
  close(): void {
    this.#timer?.cancel();
    this.subchannel.removeConnectivityStateListener(this.#changed);
    this.subchannel.unref();
  }

  readonly #changed: experimental.ConnectivityStateListener = (
    _subchannel,
    _before,
    state,
    _keepalive,
    error,
  ) => {
    if (state === connectivityState.READY) this.#enter('ready');
    else if (state === connectivityState.TRANSIENT_FAILURE) {
      this.subchannel.startConnecting(); // again, after its backoff
      this.#enter('failed', error);
    } else if (state === connectivityState.IDLE) this.#disconnected();
  };

  /** An instance that takes no requests any more is left alone: it is about to go. */
  #disconnected(): void {
    if (!takesRequests(this.endpoint.instance.status)) this.#enter('idle');
    else if (this.#phase === 'failed') this.subchannel.startConnecting();
    else this.#enter('connecting');
  }

  /** grpc-js waits for a host that swallows packets as long as the kernel does. */
  #limitTime(): void {
    const { clock, connectTimeoutMs } = this.#owner;
    this.#timer = clock.setTimer(() => {
      if (this.#phase === 'connecting') this.#enter('failed', `no connection within ${connectTimeoutMs} ms`);
    }, connectTimeoutMs);
  }

  #enter(phase: ConnectionPhase, error?: string): void {
    this.#timer?.cancel();
    const before = this.#phase;
    this.#phase = phase;
    if (phase === 'connecting') {
      this.#limitTime();
      this.subchannel.startConnecting();
    }
    this.#owner.entered(this, before, error);
  }
}

function phaseOf(state: connectivityState): ConnectionPhase {
  if (state === connectivityState.READY) return 'ready';
  if (state === connectivityState.TRANSIENT_FAILURE) return 'failed';
  return state === connectivityState.CONNECTING ? 'connecting' : 'idle';
}
