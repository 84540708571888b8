import { takesRequests } from '@sd/core';
import type { Outcome } from './endpoint.ts';
import type { LevelHealth, LevelLoad } from './layers/priority.ts';
import { ZoneLoad } from './layers/zone-load.ts';
import type { PooledEndpoint } from './pooled-endpoint.ts';
import type { IncrementalStrategy } from './strategy.ts';
import { sum } from './sum.ts';

/** What keeps an endpoint from being used, from nothing to everything. */
export const condition = {
  healthy: 0,
  degraded: 1,
  /** Far slower than its peers. */
  slow: 2,
  /** Ejected for what it answered, or not well by the consumer's own check: this consumer may be mistaken. */
  doubtful: 3,
  unreachable: 4,
  unhealthy: 5,
  /** Starting, draining, out of service or isolated. */
  off: 6,
} as const;

/** Each writer has a field of its own, and the worst wins: none can undo what another still says. */
export function conditionOf(endpoint: PooledEndpoint): number {
  const { instance, ejected, unreachable, slow, checked, isolated } = endpoint;
  const { status } = instance;
  if (isolated) return condition.off;
  if (!takesRequests(status)) return status === 'unhealthy' ? condition.unhealthy : condition.off;
  if (ejected) return unreachable ? condition.unreachable : condition.doubtful;
  if (checked === 'unhealthy' || checked === 'awaited') return condition.doubtful;
  if (slow) return condition.slow;
  return status === 'degraded' || checked === 'degraded' ? condition.degraded : condition.healthy;
}

/** Hot path. Whether it helps out where the healthy ones cannot bear all. */
export const standsBy = (which: number | undefined): boolean =>
  which === condition.degraded || which === condition.slow;

/** The endpoints of a set that have the same priority. */
export class Level {
  readonly priority: number;
  readonly groups: EndpointGroup[] = [];
  load: LevelLoad = { healthy: 0, degraded: 0, panic: false, lastResort: false };

  constructor(priority: number) {
    this.priority = priority;
  }

  get health(): LevelHealth {
    const healthy = this.count(condition.healthy);
    const degraded = this.count(condition.degraded);
    const slow = this.count(condition.slow);
    const doubtful = this.count(condition.doubtful);
    const unreachable = this.count(condition.unreachable);
    const total = healthy + degraded + slow + doubtful + unreachable + this.count(condition.unhealthy);
    return { total, healthy, degraded, slow, doubtful, unreachable };
  }

  /** How many are in this condition. */
  count(which: number): number {
    return sum(this.groups.map(({ counts }) => counts[which] ?? 0));
  }

  /** Whether endpoints in this condition are used beside the healthy ones. */
  uses(which: number): boolean {
    const { panic, lastResort } = this.load;
    if (which === condition.healthy) return true;
    return which <= condition.doubtful ? panic : lastResort && which === condition.unreachable;
  }
}

/** The endpoints of a set that have the same priority and, where zones matter, the same zone. */
export class EndpointGroup {
  readonly level: Level;
  readonly zone: string | undefined;
  /** Chooses among all members but those that are suspended. */
  readonly main: IncrementalStrategy;
  /** By condition: how many, and the sum of their weights. */
  readonly counts = new Int32Array(7);
  readonly weights = new Float64Array(7);
  /** Measured only where zones are balanced by it. */
  readonly load = new ZoneLoad();
  readonly #makeStrategy: () => IncrementalStrategy;
  /** Chooses among those that stand by; made when there is one. */
  #standby: IncrementalStrategy | undefined;

  constructor(level: Level, zone: string | undefined, makeStrategy: () => IncrementalStrategy) {
    this.level = level;
    this.zone = zone;
    this.#makeStrategy = makeStrategy;
    this.main = makeStrategy();
  }

  get size(): number {
    return this.counts.reduce((total, count) => total + count, 0);
  }

  get standby(): IncrementalStrategy | undefined {
    return this.#standby;
  }

  /** What its usable members can bear. */
  get capacity(): number {
    return this.weights.reduce(
      (total, weight, which) => (this.level.uses(which) ? total + weight : total),
      0,
    );
  }

  add(endpoint: PooledEndpoint, weight: number, which: number): void {
    this.main.add(endpoint, weight);
    this.#enter(endpoint, weight, which);
  }

  remove(endpoint: PooledEndpoint, weight: number, which: number): void {
    this.main.remove(endpoint);
    this.#leave(endpoint, weight, which);
  }

  /** Something about one of its members changed. */
  revise(endpoint: PooledEndpoint, before: Standing, now: Standing): void {
    if (before.weight !== now.weight) this.main.reweigh(endpoint, now.weight);
    if (before.condition !== now.condition) {
      this.#leave(endpoint, before.weight, before.condition);
      this.#enter(endpoint, now.weight, now.condition);
    } else if (before.weight !== now.weight) {
      this.#count(now.condition, -1, before.weight);
      this.#count(now.condition, 1, now.weight);
      if (standsBy(now.condition)) this.#standby?.reweigh(endpoint, now.weight);
    }
  }

  warmed(endpoint: PooledEndpoint, weight: number, which: number): void {
    this.main.reweigh(endpoint, weight);
    if (standsBy(which)) this.#standby?.reweigh(endpoint, weight);
  }

  settle(): void {
    this.main.settle?.();
    this.#standby?.settle?.();
  }

  /** Hot path. */
  started(endpoint: PooledEndpoint, which: number): void {
    this.main.started?.(endpoint);
    if (standsBy(which)) this.#standby?.started?.(endpoint);
  }

  /** Hot path. */
  finished(endpoint: PooledEndpoint, which: number, outcome: Outcome, latencyMs: number): void {
    this.main.finished?.(endpoint, outcome, latencyMs);
    if (standsBy(which)) this.#standby?.finished?.(endpoint, outcome, latencyMs);
  }

  #enter(endpoint: PooledEndpoint, weight: number, which: number): void {
    this.#count(which, 1, weight);
    if (!standsBy(which)) return;
    this.#standby ??= this.#makeStrategy();
    this.#standby.add(endpoint, weight);
    if (endpoint.saturated) this.#standby.suspend(endpoint);
  }

  #leave(endpoint: PooledEndpoint, weight: number, which: number): void {
    this.#count(which, -1, weight);
    if (standsBy(which)) this.#standby?.remove(endpoint);
  }

  #count(which: number, change: 1 | -1, weight: number): void {
    const count = (this.counts[which] ?? 0) + change;
    this.counts[which] = count;
    const weights = (this.weights[which] ?? 0) + change * weight;
    // Exactly nothing where nobody is, and something where somebody is, whatever was added and taken away.
    this.weights[which] = count === 0 ? 0 : Math.max(leastCapacity, weights);
  }
}

/** Of those that are there, when rounding has lost the weight of light ones beside heavy ones that left. */
const leastCapacity = 1e-12;

/** What a set makes of an endpoint. */
export interface Standing {
  readonly weight: number;
  readonly condition: number;
}
