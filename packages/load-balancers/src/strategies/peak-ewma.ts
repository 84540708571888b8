import { systemRng, type Rng } from '@sd/core';
import { Draws } from '../draws.ts';
import type { Endpoint } from '../endpoint.ts';
import type { LatencyMetric } from '../latency-metric.ts';
import type { IncrementalStrategy, PickRequest } from '../strategy.ts';
import { WeightedDraw } from './weighted-draw.ts';
import { WeightedMembers } from './weighted-members.ts';

export interface PeakEwmaOptions {
  /** The pool's: `context.latencies()`. */
  readonly latencies: LatencyMetric;
  readonly rng?: Rng | undefined;
}

/**
 * Of two endpoints drawn by weight, the one that is expected to answer sooner: its latency, as a peak-sensitive moving
 * average, times the attempts in flight for its weight, this one included. It avoids what is slow, what fails fast and
 * what hangs, within a few requests, without being told.
 *
 * Source: Finagle's `P2CPeakEwma`.
 */
export class PeakEwma extends WeightedMembers implements IncrementalStrategy {
  readonly #latencies: LatencyMetric;
  readonly #draw: WeightedDraw;

  constructor({ latencies, rng = systemRng }: PeakEwmaOptions) {
    super(rng);
    this.#latencies = latencies;
    this.#draw = new WeightedDraw(this.classes, new Draws(rng));
  }

  pick({ tried }: PickRequest): Endpoint | undefined {
    const first = this.#draw.untried(tried);
    if (first === undefined) return undefined;
    const second = this.#draw.second(first, tried);
    if (second === undefined) return first;
    const weight = this.classes.weightOf(first);
    const other = this.classes.weightOf(second);
    const mean = (weight + other) / 2;
    const cost = this.#latencies.expected(first) * (1 + (first.inFlight * mean) / weight);
    const otherCost = this.#latencies.expected(second) * (1 + (second.inFlight * mean) / other);
    // One that is new is taken to be as much slower as it is cold: its few answers say less than the peaks of the others.
    return otherCost * first.warmth < cost * second.warmth ? second : first;
  }
}
