import { systemClock, type Clock } from '@sd/core';

export interface RetryBudgetOptions {
  /** Retries and hedges allowed per call, over the window. Default: 0.2. */
  readonly ratio?: number | undefined;
  /** Those allowed besides, per second, so that a quiet service can retry at all. Default: 10. */
  readonly perSecond?: number | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * Keeps retries and hedges a bounded share of the traffic, so that they cannot multiply the load on a service that is
 * failing, and stops them where they do not help: while most attempts fail, another one most likely fails as well.
 *
 * Sources: Finagle's `RetryBudget`, with its ratio and reserve; gRPC's retry throttling (gRFC A6) for the stop. The window
 * is 2 s and not Finagle's 10 s: what 10 s of good traffic have earned would pay for 1.4 attempts per call in a brownout
 * of 5 s.
 */
export class RetryBudget {
  readonly #ratio: number;
  readonly #perSecond: number;
  readonly #clock: Clock;
  readonly #calls = new SlidingCount();
  readonly #retries = new SlidingCount();
  readonly #failed = new SlidingCount();
  readonly #answered = new SlidingCount();

  constructor({ ratio = 0.2, perSecond = 10, clock = systemClock }: RetryBudgetOptions = {}) {
    this.#ratio = ratio;
    this.#perSecond = perSecond;
    this.#clock = clock;
  }

  /** Hot path. A call began. @param now of the clock */
  deposit(now: number): void {
    this.#calls.add(now);
  }

  /** Hot path. An attempt ended that reached its endpoint. */
  observe(isAnswered: boolean, now: number): void {
    (isAnswered ? this.#answered : this.#failed).add(now);
  }

  /** Takes one retry, if there is one. */
  withdraw(): boolean {
    return this.#withdraw(this.#ratio);
  }

  /**
   * Takes one retry to use it as a hedge, if there is one. Hedges may have less of the budget, because they begin when a
   * service is late, and not only when it fails: one that nears its limit would get from them what takes it over.
   * @param ratio of the calls
   */
  withdrawHedge(ratio: number): boolean {
    const now = this.#clock.monotonic();
    const failed = this.#failed.sum(now);
    if (failed > mostFailedForHedges * (failed + this.#answered.sum(now))) return false;
    return this.#withdraw(Math.min(ratio, this.#ratio));
  }

  /** How many retries `withdraw` would grant now. */
  get left(): number {
    const now = this.#clock.monotonic();
    return this.#isFutile(now) ? 0 : Math.max(0, Math.floor(this.#balance(this.#ratio, now)));
  }

  #withdraw(ratio: number): boolean {
    const now = this.#clock.monotonic();
    if (this.#balance(ratio, now) < 1 || this.#isFutile(now)) return false;
    this.#retries.add(now);
    return true;
  }

  #balance(ratio: number, now: number): number {
    return this.#perSecond * (windowMs / 1_000) + ratio * this.#calls.sum(now) - this.#retries.sum(now);
  }

  #isFutile(now: number): boolean {
    const failed = this.#failed.sum(now);
    return failed >= leastFailures && failed > this.#answered.sum(now);
  }
}

/** How many happened within the window, in steps of a tenth of it. */
class SlidingCount {
  readonly #counts = new Uint32Array(steps);
  #step = 0;
  /** Of all steps but the running one, and of that, so that counting touches nothing else. */
  #past = 0;
  #latest = 0;
  #endsAt = stepMs;

  add(now: number): void {
    if (now >= this.#endsAt) this.#moveTo(now);
    this.#latest += 1;
  }

  sum(now: number): number {
    if (now >= this.#endsAt) this.#moveTo(now);
    return this.#past + this.#latest;
  }

  #moveTo(now: number): void {
    const step = Math.floor(now / stepMs);
    this.#counts[this.#step % steps] = this.#latest;
    this.#past += this.#latest;
    const first = Math.max(this.#step + 1, step - steps + 1);
    for (let passed = first; passed <= step; passed += 1) {
      const index = passed % steps;
      this.#past -= this.#counts[index] ?? 0;
      this.#counts[index] = 0;
    }
    this.#latest = 0;
    this.#step = step;
    this.#endsAt = (step + 1) * stepMs;
  }
}

const windowMs = 2_000;
const steps = 10;
const stepMs = windowMs / steps;

/** Where a larger share of the attempts fails, the service has enough to do. What hangs is outrun, and does not count. */
const mostFailedForHedges = 0.1;

/** Fewer failures say nothing of a service. */
const leastFailures = 20;
