import type { Rng } from '@sd/core';

/** A period that doubles. */
export interface GrowingPeriod {
  /** The first one, in milliseconds. */
  readonly baseMs: number;
  /** None is longer, but for jitter, in milliseconds. */
  readonly maxMs: number;
}

/**
 * How long to keep away from what fails: `base * 2^n` up to a limit, +-20 % so that consumers do not come back together.
 * `n` counts setbacks in a row. Each time it then goes well for as long as the last period was, one is forgiven.
 *
 * Source: Envoy's outlier detection, whose multiplier goes down by one with each interval without an ejection; doubling
 * is gRPC's connection backoff.
 */
export class Setbacks {
  readonly #period: GrowingPeriod;
  readonly #rng: Rng;
  #count = 0;
  #wellSince = Infinity;

  constructor(period: GrowingPeriod, rng: Rng) {
    this.#period = period;
    this.#rng = rng;
  }

  /** In a row, less those forgiven. */
  get count(): number {
    return this.#count;
  }

  /** It failed. @returns how long to stay away, in milliseconds */
  next(now: number): number {
    this.#forgive(now);
    this.#wellSince = Infinity;
    this.#count += 1;
    return this.#lastMs * (0.8 + 0.4 * this.#rng());
  }

  /** From now on it goes well. */
  passed(now: number): void {
    this.#wellSince = now;
  }

  areForgiven(now: number): boolean {
    this.#forgive(now);
    return this.#count === 0;
  }

  get #lastMs(): number {
    return Math.min(this.#period.maxMs, this.#period.baseMs * 2 ** (this.#count - 1));
  }

  #forgive(now: number): void {
    const { baseMs, maxMs } = this.#period;
    if (now - this.#wellSince < this.#lastMs || this.#count === 0) return;
    // Those beyond the longest period changed nothing, and shall not have to be forgiven one by one.
    this.#count = Math.min(this.#count, 1 + Math.max(0, Math.ceil(Math.log2(maxMs / baseMs))));
    while (this.#count > 0 && now - this.#wellSince >= this.#lastMs) {
      this.#wellSince += this.#lastMs;
      this.#count -= 1;
    }
  }
}
