import type { ServiceView } from '@sd/core';
import type { CircuitState, OutlierEvent } from '@sd/health';
import type { Endpoint, Outcome, PickReason } from '@sd/load-balancers';
import { channel, tracingChannel } from 'node:diagnostics_channel';
import type { AttemptReport } from './errors.ts';

/** A channel of `node:diagnostics_channel`, with the type of what it carries. */
export interface TelemetryChannel<Message> {
  readonly name: string | symbol;
  readonly hasSubscribers: boolean;
  publish(message: Message): void;
  subscribe(listener: (message: Message, name: string | symbol) => void): void;
  unsubscribe(listener: (message: Message, name: string | symbol) => void): boolean;
}

/**
 * What happens, as `node:diagnostics_channel` tells it: listen here, or by name with
 * `diagnostics_channel.subscribe('sd:eject', listener)`. While nobody listens, each costs one comparison.
 *
 * `call` and `attempt` are tracing channels (`tracing:sd:call:start`, `…:asyncEnd`, `…:error`), so that a tracer can bind
 * its context to them; the message is the same object from start to end, and what is known only then is filled in.
 * What a listener throws, Node reports as an uncaught exception.
 */
export const telemetry = {
  call: tracingChannel<unknown, CallTrace>('sd:call'),
  attempt: tracingChannel<unknown, AttemptTrace>('sd:attempt'),
  pick: typed<PickEvent>('sd:pick'),
  eject: typed<EndpointEvent>('sd:eject'),
  return: typed<EndpointEvent>('sd:return'),
  breaker: typed<BreakerEvent>('sd:breaker'),
  retry: typed<RetryEvent>('sd:retry'),
  hedge: typed<HedgeEvent>('sd:hedge'),
  snapshot: typed<ViewEvent>('sd:snapshot'),
  stale: typed<ViewEvent>('sd:stale'),
  reconnect: typed<ReconnectEvent>('sd:reconnect'),
} as const;

export interface CallTrace {
  readonly service: string;
  /** Of the request, where the protocol has such: `GET`. */
  readonly method: string | undefined;
  readonly idempotent: boolean;
  /** Those that have ended, in the order of their ends. */
  readonly attempts: readonly AttemptReport[];
  /** At the end, in milliseconds. */
  durationMs?: number;
  /** As the caller sees it; set by Node when the call failed. */
  error?: unknown;
  /** Whether it failed because its caller ended it. */
  isCancelled?: boolean;
}

export interface AttemptTrace {
  readonly service: string;
  /** The message of its call; undefined if nobody listened when that began. */
  readonly call: CallTrace | undefined;
  readonly endpoint: Endpoint;
  /** Why this endpoint. */
  readonly reason: PickReason;
  /** 1 for the first of the call. */
  readonly number: number;
  readonly kind: AttemptKind;
  /** Of the request, where the protocol has such: `GET`. */
  readonly method: string | undefined;
  /** What a tracer sets at the start is sent along with the request, e.g. `traceparent`. */
  headers?: Readonly<Record<string, string>>;
  /**
   * What a tracer sets at the start is given the work, to run it at once in a context of its own. It must run it, and must
   * not throw.
   */
  around?: (work: () => void) => void;
  /** Of the answer, where there was one and the protocol has such: 503. */
  status?: number;
  /** At the end. */
  outcome?: Outcome;
  durationMs?: number;
  readonly error?: unknown;
}

export type AttemptKind = 'first' | 'retry' | 'hedge';

export interface PickEvent {
  readonly service: string;
  readonly strategy: string;
  /** Undefined: there was nobody to pick. */
  readonly endpoint: Endpoint | undefined;
  readonly reason: PickReason;
}

/** `sd:eject`: taken out of rotation or given less, by what `event` says. `sd:return`: back. */
export interface EndpointEvent {
  readonly service: string;
  readonly event: OutlierEvent;
}

export interface BreakerEvent {
  readonly service: string;
  readonly state: CircuitState;
}

export interface RetryEvent {
  readonly service: string;
  /** The one that failed. */
  readonly endpoint: Endpoint;
  readonly outcome: Outcome;
  /** False: the budget allowed none. */
  readonly isGranted: boolean;
  /** Before the next attempt, in milliseconds. */
  readonly pauseMs: number;
}

export interface HedgeEvent {
  readonly service: string;
  /** The one that is late. */
  readonly endpoint: Endpoint;
  /** False: the budget allowed none, or there is no other endpoint. */
  readonly isGranted: boolean;
  /** How long it has been under way, in milliseconds. */
  readonly afterMs: number;
}

/** `sd:snapshot`: other instances than before. `sd:stale`: out of sync with the store, or in sync again (`view.state`). */
export interface ViewEvent {
  readonly service: string;
  readonly backend: string;
  readonly view: ServiceView;
}

/** A watch failed, for this reason; it is tried again after a pause. */
export interface ReconnectEvent {
  readonly service: string;
  readonly backend: string;
  readonly error: unknown;
}

function typed<Message>(name: string): TelemetryChannel<Message> {
  const untyped: unknown = channel(name); // Node does not know what it carries
  return untyped as TelemetryChannel<Message>;
}
