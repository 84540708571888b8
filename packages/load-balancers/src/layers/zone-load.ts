import type { Outcome } from '../endpoint.ts';
import { sum } from '../sum.ts';

/** What a consumer has measured of a zone, and the share of its picks that the zone gets for it. */
export class ZoneLoad {
  /** Undefined until routed for the first time. */
  share: number | undefined;
  /** A moving average of latencies, in milliseconds; 0 until there is one. */
  #cost = 0;

  get cost(): number {
    return this.#cost;
  }

  /** Hot path. */
  observe(outcome: Outcome, latencyMs: number): void {
    if (outcome === 'cancelled') return;
    const sample = outcome === 'ok' ? latencyMs : Math.max(latencyMs, failureMs);
    this.#cost = this.#cost === 0 ? sample : this.#cost + (sample - this.#cost) * perSample;
  }

  /** Some time has passed: what was measured counts for less, so that a zone is tried again some day. */
  fade(mean: number): void {
    if (this.#cost > 0) this.#cost += (mean - this.#cost) * forgotten;
  }
}

/**
 * Moves shares from zones that answer late to zones that answer soon, a little each time, until all cost the same; the
 * own zone may cost somewhat more before it sheds. Consumers need know nothing of each other: a zone that is too full
 * for whatever reason is slow for all of them.
 *
 * Source: multiplicative weights (Arora, Hazan, Kale, 2012), which many consumers can follow at once without swinging.
 * @param own place of the consumer's own zone
 */
export function balanceZones(loads: readonly ZoneLoad[], own: number): void {
  if (own < 0 || loads.length < 2) return;
  const shares = loads.map(({ share }) => share ?? 0);
  const measured = loads.filter(({ cost }) => cost > 0);
  if (measured.length === 0) return;
  const unknown = Math.min(...measured.map(({ cost }) => cost));
  const costs = loads.map(({ cost }, place) => (cost || unknown) / (place === own ? ownMayCost : 1));
  const mean = sum(costs.map((cost, place) => cost * (shares[place] ?? 0))) / sum(shares);
  const moved = shares.map((share, place) => {
    const excess = (costs[place] ?? mean) / mean - 1;
    return Math.max(share, smallestShare) * Math.exp(-step * Math.max(-1, Math.min(1, excess)));
  });
  loads.forEach((load, place) => {
    load.share = Math.max(smallestShare, (moved[place] ?? 0) / sum(moved));
    load.fade(mean);
  });
}

/** A failure costs at least as much as an answer that comes so late, in milliseconds. */
const failureMs = 1_000;

/** Of a new sample in the average. */
const perSample = 0.02;

/** Of what was measured, with each step. */
const forgotten = 0.01;

/** How many times what the others cost the own zone may cost. */
const ownMayCost = 1.15;

/** How far shares move in one step. */
const step = 0.2;

/** What every zone gets, so that its latency stays known. */
const smallestShare = 0.002;
