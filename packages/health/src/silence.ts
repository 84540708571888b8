import { grownCounts, grownFloats, noCounts, type Counts, type Floats } from './columns.ts';
import type { SilenceRule } from './outlier-options.ts';

/** An endpoint that has gone silent. */
export interface Silent {
  /** Attempts that ended without an answer, or have not ended. */
  readonly unanswered: number;
  readonly silentMs: number;
  /** Answers that the others gave meanwhile. */
  readonly othersAnswered: number;
}

/**
 * Finds endpoints that hang: they bring no outcomes, so that no rule about outcomes sees them. Silence begins with the
 * first attempt that brought no answer. Of those under way nobody says when they began: their silence begins when
 * `observe` first sees them, which is later than it was.
 */
export class Silence {
  readonly #rule: SilenceRule;
  #unanswered: Counts = noCounts;
  /** Infinity: not silent. */
  #since: Floats = new Float64Array(0);
  /** How many answers all had given then. */
  #answersThen: Floats = new Float64Array(0);
  #answers = 0;

  constructor(rule: SilenceRule) {
    this.#rule = rule;
  }

  grow(slots: number): void {
    const before = this.#since.length;
    this.#unanswered = grownCounts(this.#unanswered, slots);
    this.#since = grownFloats(this.#since, slots).fill(Infinity, before);
    this.#answersThen = grownFloats(this.#answersThen, slots);
  }

  /** Hot path. */
  answered(slot: number): void {
    this.#answers += 1;
    if (this.#since[slot] !== Infinity) this.reset(slot);
  }

  /** Hot path. An attempt ended without an answer. */
  gaveUp(slot: number, startedAt: number): void {
    this.#unanswered[slot] = (this.#unanswered[slot] ?? 0) + 1;
    this.#begin(slot, startedAt);
  }

  /** To be told now and then how many attempts are waited for. */
  observe(slot: number, waiting: number, now: number): void {
    if (waiting > 0) this.#begin(slot, now);
    else if (this.#unanswered[slot] === 0) this.#since[slot] = Infinity;
  }

  /** Hot path. @param usualMs the 99th percentile of the service, read only when all else holds */
  find(slot: number, waiting: number, now: number, usualMs: () => number): Silent | undefined {
    const { attempts, answers, forMs, factor } = this.#rule;
    const unanswered = (this.#unanswered[slot] ?? 0) + waiting;
    if (unanswered < attempts) return undefined;
    const silentMs = now - (this.#since[slot] ?? Infinity);
    if (silentMs < forMs) return undefined;
    const othersAnswered = this.#answers - (this.#answersThen[slot] ?? 0);
    if (othersAnswered < answers || silentMs < factor * usualMs()) return undefined;
    return { unanswered, silentMs, othersAnswered };
  }

  reset(slot: number): void {
    this.#unanswered[slot] = 0;
    this.#since[slot] = Infinity;
  }

  /** Nothing was observed for a while: what began before says nothing. */
  restart(): void {
    this.#unanswered.fill(0);
    this.#since.fill(Infinity);
  }

  #begin(slot: number, at: number): void {
    if (this.#since[slot] !== Infinity) return;
    this.#since[slot] = at;
    this.#answersThen[slot] = this.#answers;
  }
}
