import { systemClock, type Clock } from '@sd/core';
import { bucketOf, latencyOf } from './latency-buckets.ts';
import { LatencyColumns } from './latency-columns.ts';

/**
 * How long the answers of a service took lately: quantiles over the last 5 to 10 s, at most 10 % off, between 0.1 ms and
 * 100 s. Recording takes constant time and memory.
 */
export class LatencyHistogram {
  readonly #clock: Clock;
  readonly #latencies = new LatencyColumns();
  readonly #known = new Map<number, { readonly valueMs: number | undefined; readonly since: number }>();
  #turnedAt: number;

  constructor({ clock = systemClock }: { readonly clock?: Clock | undefined } = {}) {
    this.#clock = clock;
    this.#turnedAt = clock.monotonic();
  }

  /** Hot path. What is no latency, e.g. NaN, is ignored. @param now of the clock, where you have just read it */
  record(latencyMs: number, now = this.#clock.monotonic()): void {
    if (!(latencyMs >= 0)) return;
    this.#turn(now);
    this.#latencies.add(0, bucketOf(latencyMs));
  }

  /** Latencies that are known. */
  get count(): number {
    this.#turn(this.#clock.monotonic());
    return this.#latencies.count(0);
  }

  /**
   * Hot path: the answer is up to 250 ms old.
   * @param quantile 0 to 1
   * @returns milliseconds; undefined without recent latencies
   */
  quantile(quantile: number): number | undefined {
    const now = this.#clock.monotonic();
    const known = this.#known.get(quantile);
    if (known?.valueMs !== undefined && now - known.since < freshMs) return known.valueMs;
    this.#turn(now);
    const bucket = this.#latencies.quantile(0, quantile);
    const valueMs = bucket < 0 ? undefined : latencyOf(bucket);
    this.#known.set(quantile, { valueMs, since: now });
    return valueMs;
  }

  #turn(now: number): void {
    const halves = Math.floor((now - this.#turnedAt) / halfMs);
    if (halves === 0) return;
    this.#latencies.turn(halves);
    this.#turnedAt += halves * halfMs;
  }
}

/** Half of the window, in milliseconds. */
export const halfMs = 5_000;

const freshMs = 250;
