import { grownCounts, noCounts, type Counts } from './columns.ts';

/**
 * Failures in a row by slot: answers, timeouts and connections that did not open are counted apart, because each says
 * something else. Source: Envoy's `split_external_local_origin_errors`, and Finagle's failure accrual.
 */
export class ConsecutiveFailures {
  /** Those of a slot side by side: an answer has all of them begin anew. */
  #counts: Counts = noCounts;

  grow(slots: number): void {
    this.#counts = grownCounts(this.#counts, kinds * slots);
  }

  /** Hot path, as the following: each counts one more. */
  failed(slot: number): void {
    this.#counts[kinds * slot + connects] = 0;
    this.#counts[kinds * slot + answers] = this.answers(slot) + 1;
  }

  timedOut(slot: number): void {
    this.#counts[kinds * slot + timeouts] = this.timeouts(slot) + 1;
  }

  connectFailed(slot: number): void {
    this.#counts[kinds * slot + connects] = this.connects(slot) + 1;
  }

  /** Hot path. It answered well, or is new. */
  reset(slot: number): void {
    for (let kind = 0; kind < kinds; kind += 1) this.#counts[kinds * slot + kind] = 0;
  }

  answers(slot: number): number {
    return this.#counts[kinds * slot + answers] ?? 0;
  }

  timeouts(slot: number): number {
    return this.#counts[kinds * slot + timeouts] ?? 0;
  }

  connects(slot: number): number {
    return this.#counts[kinds * slot + connects] ?? 0;
  }
}

const [answers, timeouts, connects, kinds] = [0, 1, 2, 3] as const;
