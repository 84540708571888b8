import type { Clock } from '@sd/core';
import { LatencyHistogram } from '@sd/health';
import type { Endpoint } from '@sd/load-balancers';

export interface HedgingOptions {
  /** Share of answers after which one is late, 0.5 to 0.999. Default: 0.95. */
  readonly percentile?: number | undefined;
  /** No second attempt before this, in milliseconds. Default: 1. */
  readonly minDelayMs?: number | undefined;
}

/**
 * When an answer is so late that asking another endpoint as well is worth it: after the p95 of what the service takes,
 * and not before twice its median. Where all answers take about the same time, one in twenty comes after p95 without
 * anything being wrong, and asking again would be 5 % more load for nothing.
 *
 * Endpoints are measured in a few groups, and what counts is the group in the middle: one slow endpoint of three, whose
 * answers are a third of all, does not make late answers usual.
 *
 * Source: hedged requests, Dean and Barroso, "The Tail at Scale" (2013); the median and the groups are ours.
 */
export class HedgeDelay {
  readonly #percentile: number;
  readonly #minDelayMs: number;
  readonly #clock: Clock;
  readonly #settle: () => void;
  readonly #groups: LatencyHistogram[] = [];
  /** The median, and when an answer is late; 0 while too little is known. */
  #usualMs = 0;
  #lateMs = 0;
  #validUntil = -Infinity;

  /** @param settle has answers that are known brought to `observe` */
  constructor({ percentile = 0.95, minDelayMs = 1 }: HedgingOptions, clock: Clock, settle: () => void) {
    this.#percentile = percentile;
    this.#minDelayMs = minDelayMs;
    this.#clock = clock;
    this.#settle = settle;
  }

  /** Share of the calls that may be hedged: those that are late when all is well. */
  get ratio(): number {
    return 1 - this.#percentile;
  }

  /** Hot path. An endpoint answered. */
  observe({ slot }: Endpoint, latencyMs: number, now: number): void {
    const group = (this.#groups[slot % groups] ??= new LatencyHistogram({ clock: this.#clock }));
    group.record(latencyMs, now);
  }

  /** Hot path. For an attempt on this endpoint, in milliseconds; 0 while too little is known. */
  delayMs({ slow }: Pick<Endpoint, 'slow'>, now: number): number {
    if (now >= this.#validUntil) {
      this.#measure();
      if (this.#lateMs > 0) this.#validUntil = now + validMs;
    }
    // One that is known to be slow gets no more time than answers usually take. One that is out for another reason may
    // have been somewhat slower than the others all the time: it would lose each race in which it has to show itself.
    return slow ? this.#usualMs : this.#lateMs;
  }

  #measure(): void {
    this.#settle();
    const known = this.#groups.filter(({ count }) => count >= leastAnswers); // passes over those that there are not
    const late = middle(known.map((group) => group.quantile(this.#percentile) ?? 0));
    const usual = middle(known.map((group) => group.quantile(0.5) ?? 0));
    const isKnown = late !== undefined && usual !== undefined;
    this.#usualMs = isKnown ? Math.max(this.#minDelayMs, usual) : 0;
    this.#lateMs = isKnown ? Math.max(this.#minDelayMs, late, 2 * usual) : 0;
  }
}

/** The lower one where two are in the middle: of two endpoints, the one that is not slow. */
function middle(values: readonly number[]): number | undefined {
  return values.toSorted((left, right) => left - right)[(values.length - 1) >> 1];
}

const groups = 8;

/** A percentile of fewer answers means nothing. */
const leastAnswers = 20;

/** How long a delay holds, in milliseconds. */
const validMs = 250;
