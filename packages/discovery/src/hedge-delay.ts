import type { Clock } from '@sd/core';
import { LatencyHistogram } from '@sd/health';

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
 * Source: hedged requests, Dean and Barroso, "The Tail at Scale" (2013); the median is ours.
 */
export class HedgeDelay {
  readonly #percentile: number;
  readonly #minDelayMs: number;
  readonly #latencies: LatencyHistogram;

  constructor({ percentile = 0.95, minDelayMs = 1 }: HedgingOptions, clock: Clock) {
    this.#percentile = percentile;
    this.#minDelayMs = minDelayMs;
    this.#latencies = new LatencyHistogram({ clock });
  }

  /** Share of the calls that may be hedged: those that are late when all is well. */
  get ratio(): number {
    return 1 - this.#percentile;
  }

  /** Hot path. An endpoint answered that is not known to be slow. */
  observe(latencyMs: number): void {
    this.#latencies.record(latencyMs);
  }

  /** Hot path. In milliseconds; undefined while too little is known. */
  get delayMs(): number | undefined {
    const late = this.#latencies.quantile(this.#percentile);
    const usual = this.#latencies.quantile(0.5);
    if (late === undefined || usual === undefined || this.#latencies.count < leastAnswers) return undefined;
    return Math.max(this.#minDelayMs, late, 2 * usual);
  }
}

/** A percentile of fewer answers means nothing. */
const leastAnswers = 50;
