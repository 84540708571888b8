import type { Clock } from '@sd/core';
import type { Endpoint, Outcome } from './endpoint.ts';
import type { PickReason } from './pick-reason.ts';

/** An attempt on an endpoint, from its pick to its end. It can end once: what is said of it later is ignored. */
export class BegunAttempt {
  readonly endpoint: Endpoint;
  /** Why this endpoint. */
  readonly reason: PickReason;
  readonly #startedAt: number;
  readonly #clock: Clock;
  #finish: FinishAttempt | undefined;

  constructor(endpoint: Endpoint, reason: PickReason, clock: Clock, finish: FinishAttempt) {
    this.endpoint = endpoint;
    this.reason = reason;
    this.#clock = clock;
    this.#startedAt = clock.monotonic();
    this.#finish = finish;
  }

  /** @param latencyMs Default: since the pick. */
  done(outcome: Outcome, latencyMs: number = this.#clock.monotonic() - this.#startedAt): void {
    const finish = this.#finish;
    this.#finish = undefined;
    finish?.(this.endpoint, outcome, latencyMs);
  }
}

type FinishAttempt = (endpoint: Endpoint, outcome: Outcome, latencyMs: number) => void;
