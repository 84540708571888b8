import type { DiscoveryLogger, InstancePredicate, Rng, ServiceInstance } from '@sd/core';
import { grownFloats, grownInts } from './columns.ts';
import { Draws } from './draws.ts';
import { condition, conditionOf, EndpointGroup, Level } from './endpoint-group.ts';
import type { Endpoint, Outcome } from './endpoint.ts';
import { hashText } from './hash.ts';
import type { Layer } from './layers/layer.ts';
import { priorityLoads, type PriorityOptions } from './layers/priority.ts';
import { Subset, type SubsetOptions } from './layers/subset.ts';
import { zoneShares } from './layers/zones.ts';
import type { PickExplanation, PickReason, SetExplanation } from './pick-reason.ts';
import type { PooledEndpoint } from './pooled-endpoint.ts';
import type { IncrementalStrategy, PickRequest } from './strategy.ts';

export interface EndpointSetParts {
  readonly service: string;
  readonly makeStrategy: () => IncrementalStrategy;
  /** Undefined: all. */
  readonly wanted: InstancePredicate | undefined;
  readonly layers: readonly Layer[];
  readonly subset: SubsetOptions | undefined;
  readonly priority: PriorityOptions;
  /** Undefined: zones do not matter. */
  readonly zones: { readonly own: string; readonly clientShare: number | undefined } | undefined;
  /** Counts an attempt, and tells the sets of the pool. */
  readonly count: (endpoint: Endpoint) => void;
  /** Asks the pool to update this set, now and with each change. */
  readonly join: (set: EndpointSet) => void;
  readonly rng: Rng;
  readonly logger: DiscoveryLogger;
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
  readonly #subset: Subset | undefined;
  readonly #draws: Draws;
  /** For the first group: made at once, so that a wrong name is reported by whoever asked for the set. */
  #firstStrategy: IncrementalStrategy | undefined;
  #joined = false;
  #known = 0;
  #matching: readonly PooledEndpoint[] = [];
  /** Those that the layers up to the subset leave. */
  #present: readonly PooledEndpoint[] = [];
  /** By priority. */
  #levels: readonly Level[] = [];
  /** Where picks go, with shares that sum to 1. */
  #entries: readonly Entry[] = [];
  /** Where they go when nobody there is left: all places, by priority, and the degraded after the healthy. */
  #ranks: readonly (readonly Entry[])[] = [];
  #lastEntry: Entry | undefined;
  #wentElsewhere = false;
  // Columns by slot.
  readonly #members: (PooledEndpoint | undefined)[] = [];
  readonly #groups: (EndpointGroup | undefined)[] = [];
  /** As of which record of the instance the set knows it, and as of which the filter was asked. */
  readonly #records: (ServiceInstance | undefined)[] = [];
  readonly #judged: (ServiceInstance | undefined)[] = [];
  readonly #verdicts: boolean[] = [];
  #weights = new Float64Array(0);
  #conditions = new Int32Array(0);
  /** 1: not suspended in its group's main strategy. */
  #serving = new Int32Array(0);
  #rounds = new Int32Array(0);
  #round = 0;

  constructor(parts: EndpointSetParts) {
    this.#parts = parts;
    this.#subset = parts.subset === undefined ? undefined : new Subset(parts.subset);
    this.#draws = new Draws(parts.rng);
    const strategy = parts.makeStrategy();
    this.#firstStrategy = strategy;
    this.listens = strategy.started !== undefined || strategy.finished !== undefined;
  }

  /** Those the filter lets through, whatever their state. */
  get matching(): readonly Endpoint[] {
    if (!this.#joined) this.#parts.join(this);
    return this.#matching;
  }

  /** Those a pick may return, unless the request tried all of them. */
  get eligible(): readonly Endpoint[] {
    if (!this.#joined) this.#parts.join(this);
    const used = new Set(this.#entries.map(({ strategy }) => strategy));
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

  /**
   * Hot path. Picks and counts in one step, so that concurrent calls see each other.
   * Each endpoint picked must be given back with `EndpointPool.finish` once; undefined when none is eligible.
   */
  pick(request: PickRequest): Endpoint | undefined {
    if (!this.#joined) this.#parts.join(this);
    const entries = this.#entries;
    const entry = entries.length === 1 ? entries[0] : this.#draw(request.key);
    if (entry === undefined) return undefined;
    const { tried } = request;
    let endpoint = entry.strategy.pick(request);
    // Written only when it changes: on the hot path a write costs more than a comparison.
    if (this.#lastEntry !== entry) this.#lastEntry = entry;
    if (this.#wentElsewhere) this.#wentElsewhere = false;
    if (endpoint === undefined || (tried.length > 0 && tried.includes(endpoint))) {
      endpoint = this.#elsewhere(request, entry) ?? endpoint;
    }
    if (endpoint !== undefined) this.#parts.count(endpoint);
    return endpoint;
  }

  /** What the last pick went by. Ask before the next pick; undefined before the first. */
  explainPick(): PickExplanation | undefined {
    const entry = this.#lastEntry;
    if (entry === undefined) return undefined;
    const { reason, share, group } = entry;
    const { priority } = group.level;
    const { affinity } = entry.strategy;
    const yields = reason === 'direct' || reason === 'subset';
    const fellBack = this.#wentElsewhere || affinity === 'fallback';
    if (reason !== 'panic' && fellBack) return { reason: 'fallback', priority, zone: group.zone, share };
    if (yields && affinity === 'sticky') return { reason: 'sticky', priority, zone: group.zone, share };
    return { reason, priority, zone: group.zone, share };
  }

  /** What the layers make of its endpoints, now. */
  explain(): SetExplanation {
    if (!this.#joined) this.#parts.join(this);
    const count = (which: number): number =>
      this.#levels.reduce((total, { counts }) => total + (counts[which] ?? 0), 0);
    return {
      known: this.#known,
      matching: this.#matching.length,
      leftOut: this.#matching.length - this.#present.length,
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
          share: this.#entries.find(({ strategy }) => strategy === group.main)?.share ?? 0,
          degradedShare: this.#entries.find(({ strategy }) => strategy === group.standby)?.share ?? 0,
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
    const matching = this.#match(endpoints);
    this.#matching = matching;
    const weights = this.#weigh(matching);
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

  /** For the pool: its warmth is another. */
  warmed(endpoint: PooledEndpoint): void {
    const { slot } = endpoint;
    if (this.#members[slot] !== endpoint) return;
    this.#groups[slot]?.warmed(endpoint, this.#weights[slot] ?? 1, this.#conditions[slot] ?? 0);
    this.#groups[slot]?.settle();
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
    if (this.#members[slot] === endpoint) this.#groups[slot]?.started(endpoint);
  }

  /** For the pool: an attempt ended. */
  finished(endpoint: PooledEndpoint, outcome: Outcome, latencyMs: number): void {
    const { slot } = endpoint;
    if (this.#members[slot] === endpoint) this.#groups[slot]?.finished(endpoint, outcome, latencyMs);
  }

  /** A request with a key goes to the same group each time, while shares stay. */
  #draw(key: string | undefined): Entry | undefined {
    const entries = this.#entries;
    const draw = key === undefined ? this.#draws.below(finest) : hashText(key, 3) >>> 2;
    let index = 0;
    while (index < entries.length - 1 && draw >= (entries[index]?.upTo ?? finest)) index += 1;
    return entries[index];
  }

  /** Where else there is somebody who was not tried: the best places first, and among equals by capacity. */
  #elsewhere(request: PickRequest, from: Entry): Endpoint | undefined {
    for (const rank of this.#ranks) {
      const start = this.#drawByCapacity(rank, from);
      for (let step = 0; step < rank.length; step += 1) {
        const entry = rank[(start + step) % rank.length];
        if (entry === undefined || entry === from) continue;
        const endpoint = entry.strategy.pick(request);
        if (endpoint === undefined || request.tried.includes(endpoint)) continue;
        this.#lastEntry = entry;
        this.#wentElsewhere = true;
        return endpoint;
      }
    }
    return undefined;
  }

  #drawByCapacity(rank: readonly Entry[], except: Entry): number {
    const capacities = rank.map((entry) => (entry === except ? 0 : entry.capacity));
    const total = capacities.reduce((sum, capacity) => sum + capacity, 0);
    let left = (this.#draws.below(finest) / finest) * total;
    const place = capacities.findIndex((capacity) => (left -= capacity) < 0);
    return Math.max(0, place);
  }

  #match(endpoints: readonly PooledEndpoint[]): readonly PooledEndpoint[] {
    const { wanted } = this.#parts;
    if (wanted === undefined) return endpoints;
    return endpoints.filter(({ slot, instance }) => {
      // A filter is asked once per instance and change.
      if (this.#judged[slot] !== instance) {
        this.#verdicts[slot] = this.#ask(instance, wanted);
        this.#judged[slot] = instance;
      }
      return this.#verdicts[slot];
    });
  }

  #ask(instance: ServiceInstance, wanted: InstancePredicate): boolean {
    try {
      return wanted(instance);
    } catch (error) {
      const { service, id } = instance;
      this.#parts.logger.error(`The filter of service "${service}" threw; "${id}" is left out`, { error });
      return false;
    }
  }

  /** By place; 0 for those that are left out. */
  #weigh(endpoints: readonly PooledEndpoint[]): Float64Array {
    const weights = new Float64Array(endpoints.length);
    let someCount = false;
    for (let place = 0; place < endpoints.length; place += 1) {
      const endpoint = endpoints[place];
      if (endpoint === undefined) continue;
      const { weight } = endpoint.instance;
      weights[place] = weight;
      someCount ||= weight > 0 && conditionOf(endpoint) < condition.unhealthy;
    }
    // Weight 0 means no requests, unless all that take requests have it: then they are alike.
    if (!someCount) for (let place = 0; place < weights.length; place += 1) weights[place] ||= 1;
    for (const layer of this.#parts.layers) this.#apply(layer, endpoints, weights);
    this.#subset?.apply(endpoints, weights);
    return weights;
  }

  #apply(layer: Layer, endpoints: readonly PooledEndpoint[], weights: Float64Array): void {
    const { logger, service } = this.#parts;
    const before = weights.slice();
    try {
      layer.apply(endpoints, weights);
    } catch (error) {
      weights.set(before);
      logger.error(`Layer "${layer.name}" of service "${service}" threw; it is left out`, { error });
      return;
    }
    let wrong = 0;
    while (wrong < weights.length && (weights[wrong] ?? 0) >= 0 && (weights[wrong] ?? 0) < Infinity)
      wrong += 1;
    if (wrong === weights.length) return;
    const { id } = endpoints[wrong] ?? {};
    logger.error(
      `Layer "${layer.name}" of service "${service}" gave "${id ?? ''}" no weight from 0 on; it is left out`,
      {
        weight: weights[wrong],
      },
    );
    weights.set(before);
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

  /** The layers that decide on shares: priority, panic, zones. */
  #share(): void {
    const loads = priorityLoads(
      this.#levels.map(({ health }) => health),
      this.#parts.priority,
    );
    this.#levels.forEach((level, place) => {
      const load = loads[place] ?? level.load;
      const { panic, lastResort } = level.load;
      level.load = load;
      if (panic !== load.panic || lastResort !== load.lastResort) this.#panicChanged(level);
    });
    this.#ranks = [...this.#entriesOf('main'), ...this.#entriesOf('standby')];
    const used = this.#ranks.flat().filter(({ share }) => share > 0);
    let upTo = 0;
    for (const entry of used) {
      upTo += entry.share * finest;
      entry.upTo = upTo;
    }
    this.#entries = used;
  }

  #panicChanged(level: Level): void {
    for (const endpoint of this.#present) {
      if (this.#groups[endpoint.slot]?.level === level) this.#serve(endpoint);
    }
    for (const group of level.groups) group.settle();
  }

  #entriesOf(tier: 'main' | 'standby'): readonly (readonly Entry[])[] {
    const best = this.#levels[0];
    return this.#levels.map((level) => {
      const { groups, load } = level;
      const ofTier =
        tier === 'main' ? load.healthy + (load.panic ? load.degraded : 0) : load.panic ? 0 : load.degraded;
      const capacities = groups.map((group) =>
        tier === 'main' ? group.capacity : (group.weights[condition.degraded] ?? 0),
      );
      const shares = this.#zoneShares(groups, capacities);
      return groups.flatMap((group, place): Entry[] => {
        const strategy = tier === 'main' ? group.main : group.standby;
        if (strategy === undefined || (capacities[place] ?? 0) === 0) return [];
        const abroad =
          this.#parts.zones !== undefined && group.zone !== this.#parts.zones.own && (shares[place] ?? 0) < 1;
        return [
          {
            group,
            strategy,
            capacity: capacities[place] ?? 0,
            share: ofTier * (shares[place] ?? 0),
            upTo: 0,
            reason: this.#reasonFor(load.panic, tier === 'standby', level !== best || abroad),
          },
        ];
      });
    });
  }

  #reasonFor(panic: boolean, degraded: boolean, spills: boolean): PickReason {
    if (panic) return 'panic';
    if (degraded) return 'fallback';
    if (spills) return 'spill';
    return this.#subset === undefined ? 'direct' : 'subset';
  }

  #zoneShares(groups: readonly EndpointGroup[], capacities: readonly number[]): readonly number[] {
    const { zones } = this.#parts;
    const own = zones === undefined ? -1 : groups.findIndex(({ zone }) => zone === zones.own);
    const ownCapacity = capacities[own] ?? 0;
    const total = capacities.reduce((sum, capacity) => sum + capacity, 0);
    if (zones === undefined || ownCapacity === 0)
      return capacities.map((capacity) => capacity / (total || 1));
    const others = capacities.filter((_, place) => place !== own);
    const [direct = 0, ...rest] = zoneShares([ownCapacity, ...others], zones.clientShare);
    return [...rest.slice(0, own), direct, ...rest.slice(own)];
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

/** Where picks may go: the healthy or the degraded endpoints of a group. */
interface Entry {
  readonly group: EndpointGroup;
  readonly strategy: IncrementalStrategy;
  readonly share: number;
  readonly capacity: number;
  /** Draws below this, and not below that of the entry before, go here. */
  upTo: number;
  readonly reason: PickReason;
}

/** Shares of picks are drawn this finely. */
const finest = 2 ** 30;
