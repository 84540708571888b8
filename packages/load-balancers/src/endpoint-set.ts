import type { Clock } from '@sd/core';
import { BegunAttempt } from './begun-attempt.ts';
import { Candidates, type CandidatesOptions } from './candidates.ts';
import { condition, standsBy, type EndpointGroup } from './endpoint-group.ts';
import type { Endpoint, Outcome } from './endpoint.ts';
import { Members } from './members.ts';
import type { PickExplanation, PickReason, SetExplanation } from './pick-reason.ts';
import type { PooledEndpoint } from './pooled-endpoint.ts';
import type { Probes } from './probes.ts';
import { Routes, type Route, type RoutesOptions } from './routes.ts';
import { anyRequest, type IncrementalStrategy, type PickRequest } from './strategy.ts';
import { sum } from './sum.ts';

export interface EndpointSetParts extends CandidatesOptions, Omit<RoutesOptions, 'isSubset'> {
  readonly makeStrategy: () => IncrementalStrategy;
  readonly probes: Probes;
  /** Counts an attempt, and tells the sets of the pool. */
  readonly count: (endpoint: Endpoint) => void;
  readonly finish: (endpoint: Endpoint, outcome: Outcome, latencyMs: number) => void;
  /** Asks the pool to update this set, now and with each change. */
  readonly join: (set: EndpointSet) => void;
  readonly clock: Clock;
}

/**
 * The endpoints of a pool for one filter, behind the layers, in the order of one strategy. Made by `EndpointPool.set`.
 *
 * Endpoints are in groups by priority and zone, each with a strategy of its own. What the layers decide becomes shares
 * of the groups and members of the strategies, when something changes; a pick draws a group and asks its strategy.
 */
export class EndpointSet {
  /** For the pool: whether the strategy wants to know of attempts. */
  readonly listens: boolean;
  readonly #parts: EndpointSetParts;
  readonly #candidates: Candidates;
  readonly #routes: Routes;
  /** For the first group: made at once, so that a wrong name is reported by whoever asked for the set. */
  #firstStrategy: IncrementalStrategy | undefined;
  #members: Members;
  #joined = false;
  #known = 0;
  #lastRoute: Route | undefined;
  #wentElsewhere = false;
  #lastProbe: PooledEndpoint | undefined;
  /** Of the zones' balance by load: attempts that ended since the clock was read, and when it was. */
  #ended = 0;
  #balancedAt = 0;

  constructor(parts: EndpointSetParts) {
    this.#parts = parts;
    this.#candidates = new Candidates(parts);
    this.#routes = new Routes({ ...parts, isSubset: parts.subset !== undefined });
    const strategy = parts.makeStrategy();
    this.#firstStrategy = strategy;
    this.#members = this.#noMembers();
    this.listens =
      strategy.started !== undefined || strategy.finished !== undefined || parts.zones?.by === 'load';
  }

  /** Those the filter lets through, whatever their state. */
  get matching(): readonly Endpoint[] {
    if (!this.#joined) this.#parts.join(this);
    return this.#candidates.matching;
  }

  /** Those that picks go to; where all of them were tried or are saturated, a pick may go elsewhere. */
  get eligible(): readonly Endpoint[] {
    if (!this.#joined) this.#parts.join(this);
    const used = new Set(this.#routes.used.map(({ strategy }) => strategy));
    return this.#members.all.filter((endpoint) => {
      const group = this.#members.groupOf(endpoint);
      if (group === undefined || endpoint.saturated) return false;
      if (this.#members.isServing(endpoint) && used.has(group.main)) return true;
      const standby = standsBy(this.#members.conditionOf(endpoint));
      return standby && group.standby !== undefined && used.has(group.standby);
    });
  }

  /** Whether anybody takes requests: if so and `pick` returned nobody, all have as many in flight as they may. */
  get serves(): boolean {
    if (!this.#joined) this.#parts.join(this);
    return this.#routes.used.length > 0;
  }

  /**
   * Hot path. Picks and counts in one step, so that concurrent calls see each other.
   * Each endpoint picked must be given back with `EndpointPool.finish` once; undefined when none is eligible.
   */
  pick(request: PickRequest): Endpoint | undefined {
    if (!this.#joined) this.#parts.join(this);
    if (this.#parts.probes.due > 0 || this.#lastProbe !== undefined) {
      const probe = this.#parts.probes.take(request, this.#members);
      this.#lastProbe = probe;
      if (probe !== undefined) {
        this.#parts.count(probe);
        return probe;
      }
    }
    const route = this.#routes.draw(request.key);
    if (route === undefined) {
      this.#lastRoute = undefined;
      return undefined;
    }
    const { tried } = request;
    let endpoint = route.strategy.pick(request);
    // Written only when it changes: on the hot path a write costs more than a comparison.
    if (this.#lastRoute !== route) this.#lastRoute = route;
    if (this.#wentElsewhere) this.#wentElsewhere = false;
    if (endpoint === undefined || (tried.length > 0 && tried.includes(endpoint))) {
      endpoint = this.#elsewhere(request, route, endpoint);
    }
    if (endpoint !== undefined) this.#parts.count(endpoint);
    return endpoint;
  }

  /**
   * Picks, for those who would rather have one object for an attempt than `pick` and `finish`, at the price of that
   * object. Call its `done` when the attempt has ended; undefined when none is eligible.
   */
  begin(request: PickRequest = anyRequest): BegunAttempt | undefined {
    const endpoint = this.pick(request);
    return endpoint && new BegunAttempt(endpoint, this.reason, this.#parts.clock, this.#parts.finish);
  }

  /** Why the last pick returned what it did; `direct` before the first. Ask before the next pick. */
  get reason(): PickReason {
    if (this.#lastProbe !== undefined) return 'probe';
    const route = this.#lastRoute;
    if (route === undefined) return 'direct';
    const { reason, strategy } = route;
    if (reason === 'panic') return reason;
    if (this.#wentElsewhere || strategy.affinity === 'fallback') return 'fallback';
    const isPlain = reason === 'direct' || reason === 'subset';
    return isPlain && strategy.affinity === 'sticky' ? 'sticky' : reason;
  }

  /** What the last pick went by; undefined before the first, or where nobody takes requests. Ask before the next. */
  explainPick(): PickExplanation | undefined {
    if (this.#lastProbe !== undefined) {
      const { priority, zone } = this.#lastProbe.instance;
      return { reason: 'probe', priority, zone, share: 0 };
    }
    const route = this.#lastRoute;
    if (route === undefined) return undefined;
    const { share, group } = route;
    return { reason: this.reason, priority: group.level.priority, zone: group.zone, share };
  }

  /** What the layers make of its endpoints, now. */
  explain(): SetExplanation {
    if (!this.#joined) this.#parts.join(this);
    const { all, levels } = this.#members;
    const count = (which: number): number => sum(levels.map((level) => level.count(which)));
    return {
      known: this.#known,
      matching: this.#candidates.matching.length,
      leftOut: this.#candidates.matching.length - all.length,
      healthy: count(condition.healthy),
      degraded: count(condition.degraded) + count(condition.slow),
      ejected: count(condition.doubtful),
      unreachable: count(condition.unreachable),
      unhealthy: count(condition.unhealthy),
      off: count(condition.off),
      saturated: all.filter(({ saturated }) => saturated).length,
      groups: levels.flatMap(({ groups, priority, load }) =>
        groups.map((group) => ({
          priority,
          zone: group.zone,
          endpoints: group.size,
          share: this.#shareOf(group.main),
          degradedShare: this.#shareOf(group.standby),
          panic: load.panic,
        })),
      ),
    };
  }

  /** For the pool: there is another snapshot. @param slots all slots are below this */
  update(endpoints: readonly PooledEndpoint[], slots: number): void {
    this.#joined = true;
    this.#known = endpoints.length;
    this.#candidates.update(endpoints);
    this.#members.update(this.#candidates.matching, this.#candidates.weights, slots);
    this.#share();
    this.#members.settle();
  }

  /** For the pool: an endpoint was ejected, restored, saturated or relieved. O(1), but for a change from or to panic. */
  changed(endpoint: PooledEndpoint): void {
    const group = this.#members.groupOf(endpoint);
    if (group === undefined) return;
    if (this.#members.review(endpoint)) this.#share();
    this.#members.serve(endpoint);
    group.settle();
  }

  /** For the pool: their warmth is another. */
  warmed(endpoints: readonly PooledEndpoint[]): void {
    this.#members.warmed(endpoints);
  }

  /**
   * For the pool: it is not told of changes any more, or its strategy threw. It forgets everything without telling the
   * strategy; should it be used again, it asks to join.
   */
  leave(): void {
    this.#joined = false;
    this.#members = this.#noMembers();
    this.#routes.update([]);
    this.#lastRoute = undefined;
    this.#lastProbe = undefined;
  }

  /** For the pool: an attempt was counted. */
  started(endpoint: PooledEndpoint): void {
    this.#members.groupOf(endpoint)?.started(endpoint, this.#members.conditionOf(endpoint));
  }

  /** For the pool: an attempt ended. */
  finished(endpoint: PooledEndpoint, outcome: Outcome, latencyMs: number): void {
    const group = this.#members.groupOf(endpoint);
    if (group === undefined) return;
    group.finished(endpoint, this.#members.conditionOf(endpoint), outcome, latencyMs);
    if (this.#parts.zones?.by === 'load') this.#observe(group, outcome, latencyMs);
  }

  /** Reads the clock now and then only, as that costs more than the rest. */
  #observe({ load }: EndpointGroup, outcome: Outcome, latencyMs: number): void {
    load.observe(outcome, latencyMs);
    this.#ended += 1;
    if (this.#ended < 16) return;
    this.#ended = 0;
    const now = this.#parts.clock.monotonic();
    if (now - this.#balancedAt < balanceEveryMs) return;
    this.#balancedAt = now;
    this.#routes.rebalance(this.#members.levels);
  }

  #shareOf(wanted: IncrementalStrategy | undefined): number {
    return this.#routes.used.find(({ strategy }) => strategy === wanted)?.share ?? 0;
  }

  /** Where somebody is left who was not tried; if all were, the one who was due, or else any. */
  #elsewhere(request: PickRequest, from: Route, due: Endpoint | undefined): Endpoint | undefined {
    let spare = due;
    for (const route of this.#routes.others(from)) {
      const endpoint = route.strategy.pick(request);
      if (endpoint === undefined) continue;
      const wasTried = request.tried.includes(endpoint);
      if (wasTried && spare !== undefined) continue;
      this.#lastRoute = route;
      this.#wentElsewhere = true;
      if (!wasTried) return endpoint;
      spare = endpoint;
    }
    return spare;
  }

  #noMembers(): Members {
    const makeStrategy = (): IncrementalStrategy => {
      const strategy = this.#firstStrategy ?? this.#parts.makeStrategy();
      this.#firstStrategy = undefined;
      return strategy;
    };
    return new Members(makeStrategy, this.#parts.zones !== undefined);
  }

  #share(): void {
    for (const level of this.#routes.update(this.#members.levels)) this.#members.serveAll(level);
  }
}

/** How often zones are balanced by load, in milliseconds: long enough for a change to show. */
const balanceEveryMs = 500;
