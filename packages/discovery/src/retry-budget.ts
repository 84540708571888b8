import { systemClock, type Clock } from '@sd/core';

export interface RetryBudgetOptions {
  /** Retries allowed per call, over the window. Default: 0.2. */
  readonly ratio?: number | undefined;
  /** Retries allowed besides, per second, so that a quiet service can retry at all. Default: 10. */
  readonly perSecond?: number | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * Keeps retries a bounded share of the traffic, so that they cannot multiply the load on a service that is failing.
 * Source: Finagle's `RetryBudget`, with its defaults; the window is 10 s in steps of 1 s.
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #perSecond: number;
  readonly #clock: Clock;
  readonly #calls = new Uint32Array(windowSeconds);
  readonly #retries = new Uint32Array(windowSeconds);
  #second: number;
  #callSum = 0;
  #retrySum = 0;

  constructor({ ratio = 0.2, perSecond = 10, clock = systemClock }: RetryBudgetOptions = {}) {
    this.#ratio = ratio;
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#second = Math.floor(clock.monotonic() / 1_000);
  }

  /** A call began. */
  deposit(): void {
    const index = this.#now();
    this.#calls[index] = (this.#calls[index] ?? 0) + 1;
    this.#callSum += 1;
  }

  /** Takes one retry, if there is one. */
  withdraw(): boolean {
    const index = this.#now();
    if (this.#retrySum + 1 > this.#perSecond * windowSeconds + this.#ratio * this.#callSum) return false;
    this.#retries[index] = (this.#retries[index] ?? 0) + 1;
    this.#retrySum += 1;
    return true;
  }

  #now(): number {
    const second = Math.floor(this.#clock.monotonic() / 1_000);
    const elapsed = Math.min(second - this.#second, windowSeconds);
    for (let step = 1; step <= elapsed; step += 1) {
      const index = (this.#second + step) % windowSeconds;
      this.#callSum -= this.#calls[index] ?? 0;
      this.#retrySum -= this.#retries[index] ?? 0;
      this.#calls[index] = 0;
      this.#retries[index] = 0;
    }
    this.#second = second;
    return second % windowSeconds;
  }
}

const windowSeconds = 10;
