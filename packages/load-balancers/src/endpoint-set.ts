import type { Clock, ServiceInstance } from '@sd/core';
import { grownFloats, grownInts } from './columns.ts';
import { BegunAttempt } from './begun-attempt.ts';
import { Candidates, type CandidatesOptions } from './candidates.ts';
import { condition, conditionOf, EndpointGroup, Level } from './endpoint-group.ts';
import type { Endpoint, Outcome } from './endpoint.ts';
import type { PickExplanation, PickReason, SetExplanation } from './pick-reason.ts';
import type { PooledEndpoint } from './pooled-endpoint.ts';
import { Routes, type Route, type RoutesOptions } from './routes.ts';
import { anyRequest, type IncrementalStrategy, type PickRequest } from './strategy.ts';

export interface EndpointSetParts extends CandidatesOptions, Omit<RoutesOptions, 'isSubset'> {
  readonly makeStrategy: () => IncrementalStrategy;
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
  #joined = false;
  #known = 0;
  /** Those that the layers up to the subset leave. */
  #present: readonly PooledEndpoint[] = [];
  /** By priority. */
  #levels: readonly Level[] = [];
  #lastRoute: Route | undefined;
  #wentElsewhere = false;
  // Columns by slot.
  readonly #members: (PooledEndpoint | undefined)[] = [];
  readonly #groups: (EndpointGroup | undefined)[] = [];
  /** As of which record of the instance the set knows it. */
  readonly #records: (ServiceInstance | undefined)[] = [];
  #weights = new Float64Array(0);
  #conditions = new Int32Array(0);
  /** 1: not suspended in its group's main strategy. */
  #serving = new Int32Array(0);
  #rounds = new Int32Array(0);
  #round = 0;
  /** Of the zones' balance by load: attempts that ended since the clock was read, and when it was. */
  #ended = 0;
  #balancedAt = 0;

  constructor(parts: EndpointSetParts) {
    this.#parts = parts;
    this.#candidates = new Candidates(parts);
    this.#routes = new Routes({ ...parts, isSubset: parts.subset !== undefined });
    const strategy = parts.makeStrategy();
    this.#firstStrategy = strategy;
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
    return this.#present.filter(({ slot, saturated }) => {
      const group = this.#groups[slot];
      if (group === undefined || saturated) return false;
      if (this.#serving[slot] === 1 && used.has(group.main)) return true;
      return (
        this.#conditions[slot] === condition.degraded &&
        group.standby !== undefined &&
        used.has(group.standby)
      );
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
    const route = this.#lastRoute;
    if (route === undefined) return undefined;
    const { share, group } = route;
    return { reason: this.reason, priority: group.level.priority, zone: group.zone, share };
  }

  /** What the layers make of its endpoints, now. */
  explain(): SetExplanation {
    if (!this.#joined) this.#parts.join(this);
    const count = (which: number): number =>
      this.#levels.reduce((total, { counts }) => total + (counts[which] ?? 0), 0);
    return {
      known: this.#known,
      matching: this.#candidates.matching.length,
      leftOut: this.#candidates.matching.length - this.#present.length,
      healthy: count(condition.healthy),
      degraded: count(condition.degraded),
      ejected: count(condition.doubtful),
      unreachable: count(condition.unreachable),
      unhealthy: count(condition.unhealthy),
      off: count(condition.off),
      saturated: this.#present.filter(({ saturated }) => saturated).length,
      groups: this.#levels.flatMap(({ groups, priority, load }) =>
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
    this.#growColumns(slots);
    this.#candidates.update(endpoints);
    const { matching, weights } = this.#candidates;
    this.#round += 1;
    const present: PooledEndpoint[] = [];
    for (let place = 0; place < matching.length; place += 1) {
      const endpoint = matching[place];
      if (endpoint === undefined || weights[place] === 0) continue;
      this.#rounds[endpoint.slot] = this.#round;
      present.push(endpoint);
    }
    for (const endpoint of this.#present) {
      if (endpoint.gone || this.#rounds[endpoint.slot] !== this.#round) this.#remove(endpoint);
    }
    for (let place = 0; place < matching.length; place += 1) {
      const endpoint = matching[place];
      const weight = weights[place] ?? 0;
      if (endpoint === undefined || weight === 0) continue;
      const { slot } = endpoint;
      if (this.#members[slot] !== endpoint) this.#add(endpoint, weight);
      else if (this.#records[slot] !== endpoint.instance || this.#weights[slot] !== weight) {
        this.#revise(endpoint, weight);
      }
    }
    this.#present = present;
    this.#dropEmptyGroups();
    this.#share();
    this.#settle();
  }

  /** For the pool: an endpoint was ejected, restored, saturated or relieved. O(1), but for a change from or to panic. */
  changed(endpoint: PooledEndpoint): void {
    const { slot } = endpoint;
    const group = this.#groups[slot];
    if (group === undefined || this.#members[slot] !== endpoint) return;
    if (this.#conditions[slot] !== conditionOf(endpoint)) {
      this.#revise(endpoint, this.#weights[slot] ?? 1);
      this.#share();
    } else if (this.#conditions[slot] === condition.degraded) {
      if (endpoint.saturated) group.standby?.suspend(endpoint);
      else group.standby?.resume(endpoint);
    }
    this.#serve(endpoint);
    group.settle();
  }

  /** For the pool: their warmth is another. */
  warmed(endpoints: readonly PooledEndpoint[]): void {
    for (const endpoint of endpoints) {
      const { slot } = endpoint;
      if (this.#members[slot] !== endpoint) continue;
      this.#groups[slot]?.warmed(endpoint, this.#weights[slot] ?? 1, this.#conditions[slot] ?? 0);
    }
    this.#settle();
  }

  /** For the pool: its strategy threw. It forgets everything without telling the strategy; the next use starts anew. */
  drop(): void {
    this.#joined = false;
    this.#present = [];
    this.#levels = [];
    this.#members.fill(undefined);
    this.#groups.fill(undefined);
    this.#records.fill(undefined);
    this.#routes.update([]);
    this.#lastRoute = undefined;
  }

  /** For the pool: it is not told of changes any more; should it be used again, it asks to join. */
  leave(): void {
    this.#joined = false;
    for (const endpoint of this.#present) this.#remove(endpoint);
    this.#present = [];
    this.#dropEmptyGroups();
  }

  /** For the pool: an attempt was counted. */
  started(endpoint: PooledEndpoint): void {
    const { slot } = endpoint;
    if (this.#members[slot] === endpoint) this.#groups[slot]?.started(endpoint, this.#conditions[slot] ?? 0);
  }

  /** For the pool: an attempt ended. */
  finished(endpoint: PooledEndpoint, outcome: Outcome, latencyMs: number): void {
    const { slot } = endpoint;
    if (this.#members[slot] !== endpoint) return;
    this.#groups[slot]?.finished(endpoint, this.#conditions[slot] ?? 0, outcome, latencyMs);
    if (this.#parts.zones?.by === 'load') this.#observe(slot, outcome, latencyMs);
  }

  /** Reads the clock now and then only, as that costs more than the rest. */
  #observe(slot: number, outcome: Outcome, latencyMs: number): void {
    this.#groups[slot]?.load.observe(outcome, latencyMs);
    this.#ended += 1;
    if (this.#ended < 16) return;
    this.#ended = 0;
    const now = this.#parts.clock.monotonic();
    if (now - this.#balancedAt < balanceEveryMs) return;
    this.#balancedAt = now;
    this.#routes.rebalance(this.#levels);
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

  #add(endpoint: PooledEndpoint, weight: number): void {
    const { slot, instance } = endpoint;
    const group = this.#groupFor(instance);
    const which = conditionOf(endpoint);
    this.#members[slot] = endpoint;
    this.#groups[slot] = group;
    this.#records[slot] = instance;
    this.#weights[slot] = weight;
    this.#conditions[slot] = which;
    this.#serving[slot] = 1;
    group.add(endpoint, weight, which);
    this.#serve(endpoint);
  }

  #remove(endpoint: PooledEndpoint): void {
    const { slot } = endpoint;
    this.#groups[slot]?.remove(endpoint, this.#weights[slot] ?? 0, this.#conditions[slot] ?? 0);
    this.#members[slot] = undefined;
    this.#groups[slot] = undefined;
    this.#records[slot] = undefined;
  }

  #revise(endpoint: PooledEndpoint, weight: number): void {
    const { slot, instance } = endpoint;
    const group = this.#groups[slot];
    if (group === undefined) return;
    if (this.#records[slot] !== instance && this.#groupFor(instance) !== group) {
      this.#remove(endpoint);
      this.#add(endpoint, weight);
      return;
    }
    const before = { weight: this.#weights[slot] ?? 1, condition: this.#conditions[slot] ?? 0 };
    const now = { weight, condition: conditionOf(endpoint) };
    this.#records[slot] = instance;
    this.#weights[slot] = weight;
    this.#conditions[slot] = now.condition;
    group.revise(endpoint, before, now);
    this.#serve(endpoint);
  }

  /** Suspends it, or resumes it, if it is not so already. */
  #serve(endpoint: PooledEndpoint): void {
    const { slot } = endpoint;
    const group = this.#groups[slot];
    if (group === undefined) return;
    const serves = !endpoint.saturated && group.level.uses(this.#conditions[slot] ?? 0) ? 1 : 0;
    if (this.#serving[slot] === serves) return;
    this.#serving[slot] = serves;
    if (serves === 1) group.main.resume(endpoint);
    else group.main.suspend(endpoint);
  }

  #groupFor({ priority, zone: itsZone }: ServiceInstance): EndpointGroup {
    const zone = this.#parts.zones === undefined ? undefined : itsZone;
    let level = this.#levels.find((each) => each.priority === priority);
    if (level === undefined) {
      level = new Level(priority);
      this.#levels = [...this.#levels, level].sort((left, right) => left.priority - right.priority);
    }
    let group = level.groups.find((each) => each.zone === zone);
    if (group === undefined) {
      group = new EndpointGroup(level, zone, this.#makeStrategy);
      level.groups.push(group);
    }
    return group;
  }

  readonly #makeStrategy = (): IncrementalStrategy => {
    const strategy = this.#firstStrategy ?? this.#parts.makeStrategy();
    this.#firstStrategy = undefined;
    return strategy;
  };

  #dropEmptyGroups(): void {
    for (const { groups } of this.#levels) {
      for (let place = groups.length - 1; place >= 0; place -= 1) {
        if (groups[place]?.size === 0) groups.splice(place, 1);
      }
    }
    if (this.#levels.some(({ groups }) => groups.length === 0)) {
      this.#levels = this.#levels.filter(({ groups }) => groups.length > 0);
    }
  }

  #share(): void {
    for (const level of this.#routes.update(this.#levels)) this.#panicChanged(level);
  }

  #panicChanged(level: Level): void {
    for (const endpoint of this.#present) {
      if (this.#groups[endpoint.slot]?.level === level) this.#serve(endpoint);
    }
    for (const group of level.groups) group.settle();
  }

  #settle(): void {
    for (const { groups } of this.#levels) for (const group of groups) group.settle();
  }

  #growColumns(slots: number): void {
    this.#weights = grownFloats(this.#weights, slots);
    this.#conditions = grownInts(this.#conditions, slots);
    this.#serving = grownInts(this.#serving, slots);
    this.#rounds = grownInts(this.#rounds, slots);
  }
}

/** How often zones are balanced by load, in milliseconds: long enough for a change to show. */
const balanceEveryMs = 500;
