import type { Clock, Rng } from '@sd/core';
import type { Endpoint, Outcome } from './endpoint.ts';
import type { LatencyMetric } from './latency-metric.ts';

/** Orders endpoints. It has its own state for one set of one service, and does its work when something changes. */
export interface Picker {
  /**
   * Hot path. The next endpoint: one that was not tried while there is one; undefined only when there is nobody.
   * The pool counts the attempt.
   */
  pick(request: PickRequest): Endpoint | undefined;

  /** An attempt was counted on one of its endpoints, through this set or another of the same pool. */
  started?(endpoint: Endpoint): void;

  /** An attempt ended; `latencyMs` is meaningless when it was cancelled. */
  finished?(endpoint: Endpoint, outcome: Outcome, latencyMs: number): void;

  /** Whether its last pick is where the request's key belongs (`sticky`) or makes do with another (`fallback`). */
  readonly affinity?: Affinity | undefined;
}

export type Affinity = 'sticky' | 'fallback';

/** The simple form of a strategy: it gets the whole list anew with each change. */
export interface Strategy extends Picker {
  /**
   * Members, weights or other data changed. The arrays are not changed afterwards.
   * @param endpoints those a pick may return, in the order in which the pool came to know them
   * @param weights theirs, by place: above 0, on any scale, slow start included
   */
  update(endpoints: readonly Endpoint[], weights: readonly number[]): void;
}

/**
 * The form of a strategy that is told of each change by itself, so that one change among 10,000 endpoints costs O(1).
 * Weights are above 0, on any scale, without slow start: that is `weight * endpoint.warmth`.
 */
export interface IncrementalStrategy extends Picker {
  add(endpoint: Endpoint, weight: number): void;
  remove(endpoint: Endpoint): void;
  /** Its weight or its warmth is another. It may be suspended, and stays so. */
  reweigh(endpoint: Endpoint, weight: number): void;
  /** Out of rotation for now; it stays a member, so that keys that belong to others stay where they are. */
  suspend(endpoint: Endpoint): void;
  resume(endpoint: Endpoint): void;
  /** What changed is complete, be it one endpoint or a whole snapshot. Called before the next pick. */
  settle?(): void;
}

/** What a strategy may know of a request. Make it once per call, not per pick. */
export interface PickRequest {
  /** What must stick together, e.g. a user or a client address. */
  readonly key: string | undefined;
  /** Endpoints that this call has tried already, in order. */
  readonly tried: readonly Endpoint[];
  /**
   * False for what cannot be repeated elsewhere: it is spared from being the probe of an endpoint that may fail, unless
   * no other request comes. `never`: what becomes of it will not be told, so that it would show nothing. Default: true.
   */
  readonly mayProbe?: boolean | 'never' | undefined;
}

/** A request with neither key nor history. */
export const anyRequest: PickRequest = Object.freeze({ key: undefined, tried: Object.freeze([]) });

export interface StrategyContext {
  readonly service: string;
  /** The consumer's own zone. */
  readonly zone: string | undefined;
  readonly clock: Clock;
  readonly rng: Rng;
  /** The latencies of the pool's endpoints; kept from the first time that a strategy asks for them. */
  readonly latencies: () => LatencyMetric;
}

/** The first endpoint from index `from` on, around the end, that was not tried; if all were, the one at `from`. */
export function firstUntried(
  endpoints: readonly Endpoint[],
  from: number,
  tried: readonly Endpoint[],
): Endpoint | undefined {
  const first = endpoints[from];
  if (first === undefined || tried.length === 0 || !tried.includes(first)) return first;
  for (let step = 1; step < endpoints.length; step += 1) {
    const index = from + step;
    const endpoint = endpoints[index < endpoints.length ? index : index - endpoints.length];
    if (endpoint !== undefined && !tried.includes(endpoint)) return endpoint;
  }
  return first;
}
