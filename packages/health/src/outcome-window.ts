import { grownCounts, noCounts, type Counts } from './columns.ts';

/**
 * Attempts and failures of the last periods, by slot. It knows no time: whoever keeps it calls `advance` as periods pass,
 * so that recording reads no clock. Sums are kept, so that reading is O(1) too.
 */
export class OutcomeWindow {
  readonly #periods: readonly [Tally, ...Tally[]];
  readonly #sum: Tally;
  #latest: Tally;
  #place = 0;

  /** @param periods how many, the running one included */
  constructor(periods: number) {
    const [first, ...rest] = [new Tally(), ...Array.from({ length: periods - 1 }, () => new Tally())];
    this.#periods = [first, ...rest];
    this.#latest = first;
    this.#sum = new Tally();
  }

  grow(slots: number): void {
    for (const tally of this.#periods) tally.grow(slots);
    this.#sum.grow(slots);
  }

  /** Hot path. */
  record(slot: number, isFailure: boolean): void {
    if (slot >= this.#sum.attempts.length) this.grow(slot + 1);
    this.#latest.add(slot, isFailure);
    this.#sum.add(slot, isFailure);
  }

  /** Hot path. */
  attempts(slot: number): number {
    return this.#sum.attempts[slot] ?? 0;
  }

  /** Hot path. */
  failures(slot: number): number {
    return this.#sum.failures[slot] ?? 0;
  }

  /** Share of the attempts that did not fail; 1 without attempts. */
  successRate(slot: number): number {
    return rateOf(this.attempts(slot), this.failures(slot));
  }

  /** Of the running period and the one before. */
  recentAttempts(slot: number): number {
    return (this.#latest.attempts[slot] ?? 0) + (this.#former.attempts[slot] ?? 0);
  }

  recentFailures(slot: number): number {
    return (this.#latest.failures[slot] ?? 0) + (this.#former.failures[slot] ?? 0);
  }

  recentSuccessRate(slot: number): number {
    return rateOf(this.recentAttempts(slot), this.recentFailures(slot));
  }

  get #former(): Tally {
    return this.#periods[(this.#place + this.#periods.length - 1) % this.#periods.length] ?? this.#latest;
  }

  /** So many periods are over: the oldest leave. O(slots). */
  advance(periods: number): void {
    for (let left = Math.min(periods, this.#periods.length); left > 0; left -= 1) {
      this.#place = (this.#place + 1) % this.#periods.length;
      this.#latest = this.#periods[this.#place] ?? this.#latest;
      this.#sum.subtract(this.#latest);
      this.#latest.clear();
    }
  }

  reset(slot: number): void {
    for (const tally of this.#periods) tally.clear(slot);
    this.#sum.clear(slot);
  }
}

class Tally {
  attempts: Counts = noCounts;
  failures: Counts = noCounts;

  grow(slots: number): void {
    this.attempts = grownCounts(this.attempts, slots);
    this.failures = grownCounts(this.failures, slots);
  }

  add(slot: number, isFailure: boolean): void {
    this.attempts[slot] = (this.attempts[slot] ?? 0) + 1;
    if (isFailure) this.failures[slot] = (this.failures[slot] ?? 0) + 1;
  }

  subtract(other: Tally): void {
    for (let slot = 0; slot < this.attempts.length; slot += 1) {
      this.attempts[slot] = (this.attempts[slot] ?? 0) - (other.attempts[slot] ?? 0);
      this.failures[slot] = (this.failures[slot] ?? 0) - (other.failures[slot] ?? 0);
    }
  }

  clear(slot?: number): void {
    const end = slot === undefined ? this.attempts.length : slot + 1;
    this.attempts.fill(0, slot ?? 0, end);
    this.failures.fill(0, slot ?? 0, end);
  }
}

function rateOf(attempts: number, failures: number): number {
  return attempts === 0 ? 1 : (attempts - failures) / attempts;
}
