import type { Clock, Rng } from '@sd/core';
import type { Endpoint, Outcome } from './endpoint.ts';

/**
 * Orders the endpoints inside a set. It has its own state for one set of one service, and does its work in `update`,
 * so that `pick` is O(1) and allocates nothing.
 */
export interface Strategy {
  /**
   * The set changed: members, weights or other data. In the order of the snapshot, which a view sorts by id;
   * the array is not changed afterwards.
   */
  update(endpoints: readonly Endpoint[]): void;

  /**
   * Hot path. The next endpoint: one that was not tried while there is one; undefined only when the set is empty.
   * The pool counts the attempt.
   */
  pick(request: PickRequest): Endpoint | undefined;

  /** An attempt was counted on an endpoint, of this set or of another set of the same pool. */
  started?(endpoint: Endpoint): void;

  /** An attempt ended; `latencyMs` is meaningless when it was cancelled. */
  finished?(endpoint: Endpoint, outcome: Outcome, latencyMs: number): void;
}

/** What a strategy may know of a request. Make it once per call, not per pick. */
export interface PickRequest {
  /** What must stick together, e.g. a user or a client address. */
  readonly key: string | undefined;
  /** Endpoints that this call has tried already, in order. */
  readonly tried: readonly Endpoint[];
}

/** A request with neither key nor history. */
export const anyRequest: PickRequest = Object.freeze({ key: undefined, tried: Object.freeze([]) });

export interface StrategyContext {
  readonly service: string;
  /** The consumer's own zone. */
  readonly zone: string | undefined;
  readonly clock: Clock;
  readonly rng: Rng;
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
