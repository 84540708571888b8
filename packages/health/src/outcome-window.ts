import { grownCounts, noCounts, type Counts } from './columns.ts';

/** In the place of a slot: all slots together. */
export const allSlots = -1;

/**
 * Attempts and failures of the last periods, by slot. It knows no time: whoever keeps it calls `advance` as periods pass,
 * so that recording reads no clock. Sums are kept, so that reading is O(1) too.
 */
export class OutcomeWindow {
  readonly #periods: readonly [Tally, ...Tally[]];
  /** Of all periods but the running one, so that recording touches that alone. */
  readonly #past = new Tally();
  #latest: Tally;
  #place = 0;

  /** @param periods how many, the running one included */
  constructor(periods: number) {
    const [first, ...rest] = [new Tally(), ...Array.from({ length: periods - 1 }, () => new Tally())];
    this.#periods = [first, ...rest];
    this.#latest = first;
  }

  grow(slots: number): void {
    for (const tally of this.#periods) tally.grow(slots);
    this.#past.grow(slots);
  }

  /** Hot path. */
  record(slot: number, isFailure: boolean): void {
    if (!this.#latest.holds(slot)) this.grow(slot + 1);
    this.#latest.count(slot, isFailure);
  }

  /** Hot path. */
  attempts(slot: number): number {
    return this.#past.attempts(slot) + this.#latest.attempts(slot);
  }

  /** Hot path. */
  failures(slot: number): number {
    return this.#past.failures(slot) + this.#latest.failures(slot);
  }

  /** Share of the attempts that did not fail; 1 without attempts. */
  successRate(slot: number): number {
    return rateOf(this.attempts(slot), this.failures(slot));
  }

  /** Of the running period and the one before. */
  recentAttempts(slot: number): number {
    return this.#latest.attempts(slot) + this.#former.attempts(slot);
  }

  recentFailures(slot: number): number {
    return this.#latest.failures(slot) + this.#former.failures(slot);
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
      this.#past.add(this.#latest);
      this.#place = (this.#place + 1) % this.#periods.length;
      this.#latest = this.#periods[this.#place] ?? this.#latest;
      this.#past.subtract(this.#latest);
      this.#latest.clear();
    }
  }

  /** What it was counts among all slots further on. */
  reset(slot: number): void {
    for (const tally of this.#periods) tally.reset(slot);
    this.#past.reset(slot);
  }
}

/** Pairs of attempts and failures: those of all slots, and then of each. */
class Tally {
  #counts: Counts = noCounts;

  holds(slot: number): boolean {
    return 2 * (slot + 1) < this.#counts.length;
  }

  grow(slots: number): void {
    this.#counts = grownCounts(this.#counts, 2 * (slots + 1));
  }

  attempts(slot: number): number {
    return this.#counts[2 * (slot + 1)] ?? 0;
  }

  failures(slot: number): number {
    return this.#counts[2 * (slot + 1) + 1] ?? 0;
  }

  /** Hot path. */
  count(slot: number, isFailure: boolean): void {
    this.#add(0, 1);
    this.#add(2 * (slot + 1), 1);
    if (!isFailure) return;
    this.#add(1, 1);
    this.#add(2 * (slot + 1) + 1, 1);
  }

  add(other: Tally): void {
    for (let index = 0; index < this.#counts.length; index += 1) this.#add(index, other.#counts[index] ?? 0);
  }

  subtract(other: Tally): void {
    for (let index = 0; index < this.#counts.length; index += 1)
      this.#add(index, -(other.#counts[index] ?? 0));
  }

  clear(): void {
    this.#counts.fill(0);
  }

  reset(slot: number): void {
    this.#counts.fill(0, 2 * (slot + 1), 2 * (slot + 2));
  }

  #add(index: number, count: number): void {
    this.#counts[index] = (this.#counts[index] ?? 0) + count;
  }
}

function rateOf(attempts: number, failures: number): number {
  return attempts === 0 ? 1 : (attempts - failures) / attempts;
}
