import { Backoff } from '@sd/core';
import type { Endpoint } from '@sd/load-balancers';
import type { CallRules } from './call-rules.ts';
import type { Failure } from './failure.ts';
import { telemetry } from './telemetry.ts';
import type { TrackedService } from './tracked-service.ts';

/** Retries without a hint of the server wait `random(0, 25 ms * 2^n)`, at most 250 ms: Envoy's default. */
const retryBackoff = { baseMs: 25, capMs: 250 };

/** Whether and when a call of which an attempt has failed is repeated. */
export class RetryPlan {
  readonly #target: TrackedService;
  readonly #rules: CallRules;
  readonly #deadlineAt: number;
  readonly #backoff: Backoff;
  /** When endpoints that were tried may be asked again. */
  readonly #sparedUntil = new Map<Endpoint, number>();
  #retried = 0;

  /** @param deadlineAt of the clock */
  constructor(target: TrackedService, rules: CallRules, deadlineAt: number) {
    this.#target = target;
    this.#rules = rules;
    this.#deadlineAt = deadlineAt;
    this.#backoff = new Backoff({ ...retryBackoff, rng: target.rng });
  }

  /** The endpoint asked for it. */
  spare(endpoint: Endpoint, forMs: number): void {
    this.#sparedUntil.set(endpoint, this.#target.clock.monotonic() + forMs);
  }

  /** For how long the endpoint must not be asked, in milliseconds. */
  sparedMs(endpoint: Endpoint, now: number): number {
    const until = this.#sparedUntil.get(endpoint);
    return until === undefined ? 0 : until - now;
  }

  /** Takes a retry from the budget. @returns milliseconds to wait before it; undefined if there shall be none */
  pauseMs(endpoint: Endpoint, failure: Failure): number | undefined {
    const { retries, idempotent } = this.#rules;
    if (this.#retried >= retries) return undefined;
    const nothingSent = failure.outcome === 'connect-failure';
    if (!nothingSent && !idempotent) return undefined;
    const { budget, clock, name: service } = this.#target;
    const pauseMs = this.#pauseAfter(failure);
    if (clock.monotonic() + pauseMs >= this.#deadlineAt) return undefined;
    const isGranted = budget.withdraw();
    if (telemetry.retry.hasSubscribers) {
      telemetry.retry.publish({ service, endpoint, outcome: failure.outcome, isGranted, pauseMs });
    }
    if (!isGranted) return undefined;
    this.#retried += 1;
    return pauseMs;
  }

  #pauseAfter({ outcome, retryAfterMs, everywhere }: Failure): number {
    if (everywhere === true && retryAfterMs !== undefined) return retryAfterMs;
    if (outcome === 'connect-failure' && this.#retried === 0) return 0;
    return this.#backoff.next();
  }
}
