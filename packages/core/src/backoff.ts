import { systemRng, type Rng } from './rng.ts';

export interface BackoffOptions {
  /** Upper bound of the first delay, in milliseconds. */
  readonly baseMs: number;
  /** No delay is longer, in milliseconds. */
  readonly capMs: number;
  readonly rng?: Rng | undefined;
}

/**
 * Delays between retries: `random(0, min(cap, base * 2^n))`.
 * Full jitter spreads clients that failed together best, and does the least work in total.
 * Source: "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */
export class Backoff {
  readonly #baseMs: number;
  readonly #capMs: number;
  readonly #rng: Rng;
  #failures = 0;

  constructor({ baseMs, capMs, rng = systemRng }: BackoffOptions) {
    this.#baseMs = baseMs;
    this.#capMs = capMs;
    this.#rng = rng;
  }

  /** The next delay in milliseconds. @param mostMs it is no longer, as if the cap were that for once */
  next(mostMs = Infinity): number {
    const bound = Math.min(this.#capMs, this.#baseMs * 2 ** this.#failures);
    if (bound < this.#capMs) this.#failures += 1;
    return this.#rng() * Math.min(bound, mostMs);
  }

  /** After a success. */
  reset(): void {
    this.#failures = 0;
  }
}
