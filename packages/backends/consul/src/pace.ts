import type { Clock, Rng } from '@sd/core';

/** How many changes are followed at once before it matters how fast they come. */
const burst = 5;
/**
 * How far apart questions are when changes do not end, in milliseconds, and up to half as much more: each answer is the
 * whole state, so long ones are asked for less often.
 */
const intervalMs = (size: number): number => 50 + Math.min(1_000, size / 10);

/** Keeps a blocking query that is answered again and again from asking again and again: a bucket of tokens. */
export class Pace {
  readonly #clock: Clock;
  readonly #rng: Rng;
  #tokens = burst;
  #countedAt: number;

  constructor({ clock, rng }: { readonly clock: Clock; readonly rng: Rng }) {
    this.#clock = clock;
    this.#rng = rng;
    this.#countedAt = clock.monotonic();
  }

  /** How long to wait until the next question, in milliseconds. @param size how many entries the last answer had */
  next(size: number): number {
    const now = this.#clock.monotonic();
    const interval = intervalMs(size);
    this.#tokens = Math.min(burst, this.#tokens + (now - this.#countedAt) / interval);
    this.#countedAt = now;
    this.#tokens -= 1;
    return this.#tokens >= 0 ? 0 : -this.#tokens * interval * (1 + this.#rng() / 2);
  }
}
