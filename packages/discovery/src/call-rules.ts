import type { ServiceFilter } from '@sd/core';
import type { PickRequest } from '@sd/load-balancers';
import { classifyNetworkFailure, type FailureClassifier } from './failure.ts';
import type { CallOptions } from './options.ts';

export interface CallDefaults {
  readonly strategy: string;
  readonly deadlineMs: number;
  readonly attemptTimeoutMs: number;
  readonly retries: number;
}

/**
 * What calls go by: their options, and the client's defaults where these say nothing. Read once, as many calls as you like
 * may have the same. Names, units and defaults are those of `CallOptions`.
 */
export class CallRules {
  readonly strategy: string;
  readonly filter: ServiceFilter | undefined;
  readonly method: string | undefined;
  readonly idempotent: boolean;
  readonly retries: number;
  /** Whether a second endpoint may be asked when the first is late. */
  readonly mayHedge: boolean;
  readonly deadlineMs: number;
  readonly attemptTimeoutMs: number;
  readonly classify: FailureClassifier;
  /** What the first pick is asked with. */
  readonly request: PickRequest;

  constructor(options: CallOptions, defaults: CallDefaults) {
    this.strategy = options.strategy ?? defaults.strategy;
    this.filter = options.filter;
    this.method = options.method;
    this.idempotent = options.idempotent === true;
    this.retries = options.retries ?? defaults.retries;
    const isRepeatable = this.idempotent && this.retries > 0;
    this.mayHedge = isRepeatable && options.hedge !== false;
    this.deadlineMs = options.deadlineMs ?? defaults.deadlineMs;
    this.attemptTimeoutMs = options.attemptTimeoutMs ?? defaults.attemptTimeoutMs;
    this.classify = options.classify ?? classifyNetworkFailure;
    // Whose attempt fails must be able to try elsewhere.
    const request = isRepeatable ? repeatable : once;
    this.request = options.key === undefined ? request : { ...request, key: options.key };
  }
}

const once: PickRequest = Object.freeze({ key: undefined, tried: [], mayProbe: false });
const repeatable: PickRequest = Object.freeze({ ...once, mayProbe: true });
