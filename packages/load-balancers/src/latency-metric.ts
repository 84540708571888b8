import { systemClock, type Clock } from '@sd/core';
import { grownFloats } from './columns.ts';
import type { Endpoint, Outcome } from './endpoint.ts';

export interface LatencyMetricOptions {
  /** Time constant of the average, in milliseconds. Default: 10,000. */
  readonly decayMs?: number | undefined;
  /** What is assumed of an endpoint that has been called and has not answered yet, in milliseconds. Default: 30. */
  readonly initialMs?: number | undefined;
  /** What a failure counts as at least, in milliseconds: a failure that comes fast must not attract. Default: 1,000. */
  readonly failureMs?: number | undefined;
  readonly clock?: Clock | undefined;
}

/**
 * How long endpoints take to answer: a peak-sensitive moving average, which jumps to a worse latency at once and comes
 * down slowly. An endpoint that has attempts in flight and has been silent for longer than its average is as slow as it
 * has been silent: one that hangs is seen before its first timeout. One that was never called costs nothing, so that it
 * is called next.
 *
 * Source: Finagle's `PeakEwma`, with its constants; the cost of failures and of silence is ours.
 */
export class LatencyMetric {
  readonly #clock: Clock;
  readonly #decayMs: number;
  readonly #initialMs: number;
  readonly #failureMs: number;
  // Columns by slot.
  #average = new Float64Array(0);
  /** When `average` was that. */
  #stamp = new Float64Array(0);
  /** Since when attempts in flight have brought no answer. */
  #silentSince = new Float64Array(0);
  /** The time of the last event, which is near enough: reading the clock costs more than a pick. */
  #now: number;
  /** When events came again after a pause: what was stamped before says nothing of silence. */
  #pausedUntil = 0;

  constructor({
    decayMs = 10_000,
    initialMs = 30,
    failureMs = 1_000,
    clock = systemClock,
  }: LatencyMetricOptions = {}) {
    this.#decayMs = decayMs;
    this.#initialMs = initialMs;
    this.#failureMs = failureMs;
    this.#clock = clock;
    this.#now = clock.monotonic();
  }

  /** An endpoint came to the pool: what was known of its slot is void. */
  reset({ slot }: Endpoint): void {
    this.#average = grownFloats(this.#average, slot + 1);
    this.#stamp = grownFloats(this.#stamp, slot + 1);
    this.#silentSince = grownFloats(this.#silentSince, slot + 1);
    this.#average[slot] = unheardOf;
    this.#stamp[slot] = this.#now;
    this.#silentSince[slot] = this.#now;
  }

  /** Hot path. An attempt was counted. */
  started({ slot, inFlight, answering }: Endpoint): void {
    if (inFlight - answering === 1) this.#silentSince[slot] = this.#now;
  }

  /** Hot path. An attempt ended. */
  finished({ slot }: Endpoint, outcome: Outcome, latencyMs: number): void {
    const now = this.#clock.monotonic();
    if (now - this.#now > pauseMs) this.#pausedUntil = now;
    this.#now = now;
    if (outcome === 'cancelled') return;
    this.#silentSince[slot] = now;
    const sample = Math.max(outcome === 'ok' ? latencyMs : Math.max(latencyMs, this.#failureMs), leastMs);
    const average = this.#average[slot] ?? 0;
    if (sample >= average) {
      this.#average[slot] = sample;
    } else {
      const kept = fading((now - (this.#stamp[slot] ?? 0)) / this.#decayMs);
      this.#average[slot] = average * kept + sample * (1 - kept);
    }
    this.#stamp[slot] = now;
  }

  /** Hot path. What is expected of an endpoint now, in milliseconds. */
  expected({ slot, inFlight, answering }: Endpoint): number {
    const waiting = inFlight - answering;
    const now = this.#now;
    const age = now - (this.#stamp[slot] ?? 0);
    const average = this.#average[slot] ?? 0;
    if (average === unheardOf) {
      return inFlight === 0 ? 0 : Math.max(this.#initialMs, waiting === 0 ? 0 : this.#silence(slot));
    }
    // Without answers the average fades, so that an endpoint is tried again some day.
    const faded = age > 0 ? average * fading(age / this.#decayMs) : average;
    if (waiting === 0) return faded;
    return Math.max(faded, this.#silence(slot));
  }

  #silence(slot: number): number {
    return this.#now - Math.max(this.#pausedUntil, this.#silentSince[slot] ?? 0);
  }
}

const unheardOf = 0;

/** After no event for so long, attempts may have begun at any time in between. */
const pauseMs = 1_000;

const leastMs = 0.001;

/**
 * Nearly exp(-age), at a fraction of its cost: to the fourth power, as by itself one over the first terms of the series
 * would forget a peak of 2 s after minutes only.
 */
function fading(age: number): number {
  const quarter = age / 4;
  const root = 1 / (1 + quarter + (quarter * quarter) / 2);
  return root * root * root * root;
}
