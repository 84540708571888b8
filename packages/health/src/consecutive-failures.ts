import { grownCounts, noCounts, type Counts } from './columns.ts';

/**
 * Failures in a row by slot: answers, timeouts and connections that did not open are counted apart, because each says
 * something else. Source: Envoy's `split_external_local_origin_errors`, and Finagle's failure accrual.
 */
export class ConsecutiveFailures {
  #answers: Counts = noCounts;
  #timeouts: Counts = noCounts;
  #connects: Counts = noCounts;

  grow(slots: number): void {
    this.#answers = grownCounts(this.#answers, slots);
    this.#timeouts = grownCounts(this.#timeouts, slots);
    this.#connects = grownCounts(this.#connects, slots);
  }

  /** Hot path, as the following: each counts one more. */
  failed(slot: number): void {
    this.#connects[slot] = 0;
    this.#answers[slot] = this.answers(slot) + 1;
  }

  timedOut(slot: number): void {
    this.#timeouts[slot] = this.timeouts(slot) + 1;
  }

  connectFailed(slot: number): void {
    this.#connects[slot] = this.connects(slot) + 1;
  }

  /** Hot path. It answered well, or is new. */
  reset(slot: number): void {
    this.#answers[slot] = 0;
    this.#timeouts[slot] = 0;
    this.#connects[slot] = 0;
  }

  answers(slot: number): number {
    return this.#answers[slot] ?? 0;
  }

  timeouts(slot: number): number {
    return this.#timeouts[slot] ?? 0;
  }

  connects(slot: number): number {
    return this.#connects[slot] ?? 0;
  }
}
