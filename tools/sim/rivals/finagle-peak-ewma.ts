import type { Clock, Rng } from '@sd/core';
import type { Endpoint, Outcome, Strategy } from '@sd/load-balancers';
import { twoOf } from './two-draws.ts';

/**
 * Finagle's `P2CPeakEwma`: of two drawn at random, the lower cost `latency * (in flight + 1)`. The latency is a moving
 * average (10 s) that jumps to a worse one at once; each look at it counts as an observation of 0, which makes it fade.
 * One never heard of costs nothing while idle, and more than all others from its first attempt to its first answer.
 * An answer is an answer: a failure that comes fast makes an endpoint look good.
 *
 * Source: twitter/finagle, finagle-core, `loadbalancer/PeakEwma.scala` and `loadbalancer/p2c/P2CPick.scala`.
 */
export class FinaglePeakEwma implements Strategy {
  readonly #clock: Clock;
  readonly #rng: Rng;
  #endpoints: readonly Endpoint[] = [];
  #metrics = new Map<Endpoint, Metric>();

  constructor({ clock, rng }: { readonly clock: Clock; readonly rng: Rng }) {
    this.#clock = clock;
    this.#rng = rng;
  }

  update(endpoints: readonly Endpoint[]): void {
    this.#endpoints = endpoints;
    const fresh = (): Metric => ({ latencyMs: 0, seenAt: this.#clock.monotonic() });
    this.#metrics = new Map(endpoints.map((each) => [each, this.#metrics.get(each) ?? fresh()]));
  }

  pick(): Endpoint | undefined {
    const [first, second] = twoOf(this.#endpoints, this.#rng) ?? [];
    if (first === undefined || second === undefined) return undefined;
    return this.#cost(second) < this.#cost(first) ? second : first;
  }

  finished(endpoint: Endpoint, outcome: Outcome, latencyMs: number): void {
    if (outcome !== 'cancelled') this.#observe(endpoint, latencyMs);
  }

  #cost(endpoint: Endpoint): number {
    const latencyMs = this.#observe(endpoint, 0);
    return latencyMs === 0 && endpoint.inFlight > 0
      ? unheardOf + endpoint.inFlight
      : latencyMs * (endpoint.inFlight + 1);
  }

  #observe(endpoint: Endpoint, latencyMs: number): number {
    const metric = this.#metrics.get(endpoint);
    if (metric === undefined) return 0;
    const now = this.#clock.monotonic();
    const kept = Math.exp((metric.seenAt - now) / decayMs);
    metric.latencyMs =
      latencyMs > metric.latencyMs ? latencyMs : metric.latencyMs * kept + latencyMs * (1 - kept);
    metric.seenAt = now;
    return metric.latencyMs;
  }
}

interface Metric {
  latencyMs: number;
  seenAt: number;
}

const decayMs = 10_000;
const unheardOf = 1e9;
