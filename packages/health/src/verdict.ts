import type { CheckResult } from './health-check.ts';

export interface Thresholds {
  /** So many looks in a row that are not unhealthy bring an unhealthy target back. */
  readonly successThreshold: number;
  /** So many unhealthy looks in a row make a target unhealthy. */
  readonly failureThreshold: number;
}

/**
 * What looks in a row amount to. The first decides alone: before it, nothing was known. After that
 * - `unhealthy` takes `failureThreshold` unhealthy looks in a row,
 * - `healthy` and `degraded` take `successThreshold` looks in a row that say so,
 * - and a target comes back from `unhealthy` as degraded when these looks were of both kinds.
 */
export class Verdict {
  readonly #thresholds: Thresholds;
  #status: 'unknown' | CheckResult['status'] = 'unknown';
  #last: CheckResult['status'] | undefined;
  /** Looks in a row that were like the last one. */
  #alike = 0;
  /** Looks in a row that were not unhealthy. */
  #successes = 0;

  constructor(thresholds: Thresholds) {
    this.#thresholds = thresholds;
  }

  get status(): 'unknown' | CheckResult['status'] {
    return this.#status;
  }

  add(look: CheckResult['status']): void {
    this.#alike = look === this.#last ? this.#alike + 1 : 1;
    this.#successes = look === 'unhealthy' ? 0 : this.#successes + 1;
    this.#last = look;
    const { successThreshold, failureThreshold } = this.#thresholds;
    const needed = look === 'unhealthy' ? failureThreshold : successThreshold;
    if (this.#status === 'unknown' || this.#alike >= needed) this.#status = look;
    else if (this.#status === 'unhealthy' && this.#successes >= successThreshold) this.#status = 'degraded';
  }
}
