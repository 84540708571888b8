import type { Rng } from '@sd/core';
import type { Endpoint } from '@sd/load-balancers';
import type { DetectedPool } from './detected-pool.ts';
import { isBelowChance } from './deviation.ts';
import { isProbeLost } from './ejections.ts';
import { bucketOf, latencyBuckets, latencyOf } from './latency-buckets.ts';
import { LatencyColumns } from './latency-columns.ts';
import type { OutlierEvent } from './outlier-event.ts';
import type { LatencyRule } from './outlier-options.ts';
import { Setbacks } from './setbacks.ts';

export interface SlowEndpointsParts {
  readonly pool: DetectedPool;
  readonly rule: LatencyRule;
  readonly rng: Rng;
  readonly emit: (event: OutlierEvent) => void;
}

/**
 * Degrades endpoints whose 90th percentile is far from what is normal among their peers, the median of those, and
 * probes them later. Never more than half are degraded: what most are is the norm. One peer is enough to compare with:
 * it is where the load goes. Asked of Envoy since 2016 (envoyproxy/envoy#288), which has no such rule.
 */
export class SlowEndpoints {
  readonly #parts: SlowEndpointsParts;
  readonly #latencies = new LatencyColumns();
  /** Of those that are degraded, or were and have not been forgiven. */
  readonly #judged = new Map<Endpoint, Judged>();
  readonly #p90s = new Uint32Array(latencyBuckets);
  #slow = 0;
  #normalMs = Infinity;
  #normalAt = -Infinity;
  #due = Infinity;

  constructor(parts: SlowEndpointsParts) {
    this.#parts = parts;
  }

  grow(slots: number): void {
    this.#latencies.grow(slots);
  }

  reset(slot: number): void {
    this.#latencies.reset(slot);
  }

  /** So many halves of the window are over. */
  turn(halves: number): void {
    this.#latencies.turn(halves);
  }

  /** When the next one is due to be probed, or earlier. */
  get nextDue(): number {
    return this.#due;
  }

  /** Hot path. An attempt took so long. Of one that lost against another nobody knows how long it would have taken. */
  took(endpoint: Endpoint, latencyMs: number, outcome: 'ok' | 'timeout' | 'cancelled', now: number): void {
    const { slot } = endpoint;
    this.#latencies.add(slot, outcome === 'cancelled' ? latencyBuckets - 1 : bucketOf(latencyMs));
    if (this.#latencies.running(slot) >= mostSamples) this.#latencies.turnSlot(slot);
    if (this.#slow > 0) this.#probed(endpoint, latencyMs, outcome === 'ok', now);
  }

  /** Hot path. An attempt said nothing of latency; it may have been a probe. */
  saidNothing(endpoint: Endpoint, now: number): void {
    const judged = this.#slow === 0 ? undefined : this.#judged.get(endpoint);
    if (judged?.state.value === 'probed') this.#probe(endpoint, judged, now);
  }

  /** Compares. O(endpoints). */
  judge(endpoints: readonly Endpoint[], isOut: (endpoint: Endpoint) => boolean, now: number): void {
    const { samples, factor, marginMs } = this.#parts.rule;
    const p90s = this.#p90s.fill(0);
    let known = 0;
    let slowest = 0;
    for (const endpoint of endpoints) {
      const { slot } = endpoint;
      if (this.#latencies.count(slot) < samples || isOut(endpoint)) continue;
      const bucket = this.#latencies.quantile(slot, 0.9);
      p90s[bucket] = (p90s[bucket] ?? 0) + 1;
      known += 1;
      if (bucket > slowest) slowest = bucket;
    }
    if (known === 0) return;
    // The median without one that is above it is where it is with it.
    this.#normalMs = latencyOf(bucketAt(p90s, (known - 1) >> 1));
    this.#normalAt = now;
    const limitMs = Math.max(factor * this.#normalMs, this.#normalMs + marginMs);
    if (latencyOf(slowest) <= limitMs) return;
    // Of the latencies of all, those that are above the limit.
    let limit = slowest;
    while (limit > 0 && latencyOf(limit) > limitMs) limit -= 1;
    let total = 0;
    let above = 0;
    for (const endpoint of endpoints) {
      const { slot } = endpoint;
      if (this.#latencies.count(slot) < samples || isOut(endpoint)) continue;
      total += this.#latencies.count(slot);
      above += this.#latencies.above(slot, limit);
    }
    for (const endpoint of endpoints) {
      if (2 * (this.#slow + 1) > endpoints.length) return;
      const { slot } = endpoint;
      const own = this.#latencies.count(slot);
      if (own < samples || isOut(endpoint)) continue;
      const p90Ms = latencyOf(this.#latencies.quantile(slot, 0.9));
      if (p90Ms <= limitMs) continue;
      // Where one in ten requests is slow wherever it goes, that is in the p90 of some and of others not, by chance.
      const ownAbove = this.#latencies.above(slot, limit);
      const usual = 1 - (above - ownAbove) / (total - own);
      if (isBelowChance(1 - ownAbove / own, usual, own)) this.#degrade(endpoint, p90Ms, now);
    }
  }

  /** Probes those whose time is over. */
  wake(isOut: (endpoint: Endpoint) => boolean, now: number): void {
    this.#due = Infinity;
    for (const [endpoint, judged] of this.#judged) {
      const { state } = judged;
      if (state.value === 'well') {
        if (judged.setbacks.areForgiven(now)) this.#judged.delete(endpoint);
      } else if (isOut(endpoint)) {
        continue; // to be probed for other reasons first
      } else if (state.value === 'slow') {
        if (state.until > now) {
          this.#due = Math.min(this.#due, state.until);
          continue;
        }
        judged.state = { value: 'probed', since: now, latencies: [] };
        this.#probe(endpoint, judged, now);
      } else if (isProbeLost(endpoint, judged.probedAt, now)) {
        this.#probe(endpoint, judged, now);
      }
    }
  }

  forget(endpoint: Endpoint): void {
    const judged = this.#judged.get(endpoint);
    if (judged === undefined) return;
    if (judged.state.value !== 'well') this.#slow -= 1;
    this.#judged.delete(endpoint);
  }

  /** Takes back its judgements. */
  close(): void {
    for (const [endpoint, { state }] of this.#judged) {
      if (state.value !== 'well') this.#parts.pool.degrade(endpoint, false);
    }
    this.#judged.clear();
    this.#slow = 0;
  }

  #degrade(endpoint: Endpoint, p90Ms: number, now: number): void {
    const judged = this.#judged.get(endpoint) ?? this.#newJudged(endpoint, now);
    if (judged.state.value !== 'well') return;
    this.#slow += 1;
    this.#keepSlow(endpoint, judged, p90Ms, now);
    this.#parts.pool.degrade(endpoint, true);
  }

  #probed(endpoint: Endpoint, latencyMs: number, isAnswered: boolean, now: number): void {
    const judged = this.#judged.get(endpoint);
    if (judged?.state.value !== 'probed' || latencyMs > now - judged.state.since + 0.001) return;
    const { latencies } = judged.state;
    const { probes, recoveredFactor } = this.#parts.rule;
    // Where nobody has been called enough for so long, nobody is known to be faster.
    const limitMs = now - this.#normalAt > normHoldsMs ? Infinity : recoveredFactor * this.#normalMs;
    // One that was outrun by a hedge may have been slow for as short as a hedge waits: it has not shown that it is well.
    latencies.push(isAnswered ? latencyMs : Math.max(latencyMs, limitMs));
    if (latencies.length < probes) {
      this.#probe(endpoint, judged, now);
      return;
    }
    const medianMs = latencies.sort((left, right) => left - right)[latencies.length >> 1] ?? 0;
    if (medianMs < limitMs) this.#undegrade(endpoint, judged, medianMs, now);
    else this.#keepSlow(endpoint, judged, Math.min(medianMs, mostMs), now);
  }

  #keepSlow(endpoint: Endpoint, judged: Judged, p90Ms: number, now: number): void {
    const forMs = judged.setbacks.next(now);
    judged.state = { value: 'slow', until: now + forMs };
    this.#due = Math.min(this.#due, now + forMs);
    const degradations = judged.setbacks.count;
    this.#parts.emit({
      type: 'degrade',
      endpoint,
      p90Ms,
      peersP90Ms: this.#normalMs,
      forMs,
      degradations,
    });
  }

  #undegrade(endpoint: Endpoint, judged: Judged, medianMs: number, now: number): void {
    this.#slow -= 1;
    judged.state = { value: 'well' };
    judged.setbacks.passed(now);
    this.#latencies.reset(endpoint.slot);
    this.#parts.pool.degrade(endpoint, false);
    this.#parts.emit({ type: 'undegrade', endpoint, medianMs, peersP90Ms: this.#normalMs });
  }

  #probe(endpoint: Endpoint, judged: Judged, now: number): void {
    judged.probedAt = now;
    this.#parts.pool.probe(endpoint);
  }

  #newJudged(endpoint: Endpoint, now: number): Judged {
    const setbacks = new Setbacks(this.#parts.rule, this.#parts.rng);
    const judged: Judged = { state: { value: 'well' }, setbacks, probedAt: now };
    this.#judged.set(endpoint, judged);
    return judged;
  }
}

interface Judged {
  state:
    | { readonly value: 'well' }
    | { readonly value: 'slow'; readonly until: number }
    | { readonly value: 'probed'; readonly since: number; readonly latencies: number[] };
  readonly setbacks: Setbacks;
  probedAt: number;
}

/**
 * An endpoint is judged by this many to twice as many latencies: one that answered thousands of requests in the last 10 s
 * shows all the same within a second or two that it has become slow.
 */
const mostSamples = 200;

/** What was normal so long ago says nothing, in milliseconds. */
const normHoldsMs = 60_000;

/** What is not known to be less counts as this. */
const mostMs = latencyOf(latencyBuckets - 1);

/** Of buckets with so many each, the one that the item at `place` is in. */
function bucketAt(counts: Uint32Array, place: number): number {
  let seen = 0;
  for (let bucket = 0; bucket < counts.length; bucket += 1) {
    seen += counts[bucket] ?? 0;
    if (seen > place) return bucket;
  }
  return counts.length - 1;
}
