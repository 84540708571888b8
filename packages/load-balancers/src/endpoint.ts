import type { ServiceInstance } from '@sd/core';

/** A consumer's own view of an instance: the instance and its live statistics. */
export interface Endpoint {
  readonly id: string;
  /** As last published; replaced by the pool when it changes. */
  readonly instance: ServiceInstance;
  /**
   * A small number that no other living endpoint of the pool has: the index for a strategy's own columns.
   * It is given to another endpoint only after this one has left and its last attempt has ended.
   */
  readonly slot: number;
  /** Attempts that were started and have not ended. */
  readonly inFlight: number;
  /** Those of them that were answered and go on: a body, a stream. Nothing of them is waited for. */
  readonly answering: number;
  /** Taken out of rotation for a while because attempts on it failed. */
  readonly ejected: boolean;
  /** Ejected because nothing listens there. */
  readonly unreachable: boolean;
  /** Judged slow beside its peers: it gets what the others cannot bear. */
  readonly slow: boolean;
  /** What this consumer's own health check last said. */
  readonly checked: CheckedStatus;
  /** Taken out of rotation by an operator of this consumer. */
  readonly isolated: boolean;
  /** It has as many attempts in flight as it may have. */
  readonly saturated: boolean;
  /** Of its weight, the part that it bears while it is new, 0 to 1. 1 without slow start. */
  readonly warmth: number;
}

/** `unknown`: nobody checks; `awaited`: the first check is still to come. */
export type CheckedStatus = 'unknown' | 'awaited' | 'healthy' | 'degraded' | 'unhealthy';

/**
 * What became of an attempt.
 * - `ok`: answered
 * - `error`: answered that it failed, or broke off
 * - `overload`: answered that it has too much to do
 * - `connect-failure`: the connection never opened, so nothing was sent
 * - `timeout`: no answer in time
 * - `cancelled`: the caller lost interest; says nothing of the endpoint
 */
export type Outcome = 'ok' | 'error' | 'overload' | 'connect-failure' | 'timeout' | 'cancelled';
