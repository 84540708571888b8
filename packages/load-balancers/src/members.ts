import type { ServiceInstance } from '@sd/core';
import { grownFloats, grownInts } from './columns.ts';
import { conditionOf, EndpointGroup, Level, standsBy } from './endpoint-group.ts';
import type { PooledEndpoint } from './pooled-endpoint.ts';
import type { IncrementalStrategy } from './strategy.ts';

/**
 * Who is in a set: in which group, at what weight, in what condition, and whether it serves now. Tells the strategies of
 * the groups what changed, and only that.
 */
export class Members {
  readonly #makeStrategy: () => IncrementalStrategy;
  readonly #byZone: boolean;
  #present: readonly PooledEndpoint[] = [];
  #levels: readonly Level[] = [];
  // Columns by slot.
  readonly #endpoints: (PooledEndpoint | undefined)[] = [];
  readonly #groups: (EndpointGroup | undefined)[] = [];
  /** As of which record of the instance it is known. */
  readonly #records: (ServiceInstance | undefined)[] = [];
  #weights = new Float64Array(0);
  #conditions = new Int32Array(0);
  /** 1: not suspended in its group's main strategy. */
  #serving = new Int32Array(0);
  #rounds = new Int32Array(0);
  #round = 0;

  constructor(makeStrategy: () => IncrementalStrategy, byZone: boolean) {
    this.#makeStrategy = makeStrategy;
    this.#byZone = byZone;
  }

  get all(): readonly PooledEndpoint[] {
    return this.#present;
  }

  /** By priority, the best first. */
  get levels(): readonly Level[] {
    return this.#levels;
  }

  /** Hot path. Undefined: it is none of these. */
  groupOf(endpoint: PooledEndpoint): EndpointGroup | undefined {
    const { slot } = endpoint;
    return this.#endpoints[slot] === endpoint ? this.#groups[slot] : undefined;
  }

  /** Hot path. Of a member. */
  conditionOf({ slot }: PooledEndpoint): number {
    return this.#conditions[slot] ?? 0;
  }

  /** Whether a member is not suspended in its group's main strategy. */
  isServing({ slot }: PooledEndpoint): boolean {
    return this.#serving[slot] === 1;
  }

  /**
   * There is another snapshot.
   * @param weights by place; those with 0 are not in the set
   * @param slots all slots are below this
   */
  update(endpoints: readonly PooledEndpoint[], weights: Float64Array, slots: number): void {
    this.#growColumns(slots);
    this.#round += 1;
    const present: PooledEndpoint[] = [];
    for (let place = 0; place < endpoints.length; place += 1) {
      const endpoint = endpoints[place];
      if (endpoint === undefined || weights[place] === 0) continue;
      this.#rounds[endpoint.slot] = this.#round;
      present.push(endpoint);
    }
    for (const endpoint of this.#present) {
      if (endpoint.gone || this.#rounds[endpoint.slot] !== this.#round) this.#remove(endpoint);
    }
    for (let place = 0; place < endpoints.length; place += 1) {
      const endpoint = endpoints[place];
      const weight = weights[place] ?? 0;
      if (endpoint === undefined || weight === 0) continue;
      const { slot } = endpoint;
      if (this.#endpoints[slot] !== endpoint) this.#add(endpoint, weight);
      else if (this.#records[slot] !== endpoint.instance || this.#weights[slot] !== weight) {
        this.#revise(endpoint, weight);
      }
    }
    this.#present = present;
    this.#dropEmptyGroups();
  }

  /** Whether a member's condition is another than it was; if it is not, it may be saturated or relieved. */
  review(endpoint: PooledEndpoint): boolean {
    const { slot } = endpoint;
    const which = this.#conditions[slot];
    if (which !== conditionOf(endpoint)) {
      this.#revise(endpoint, this.#weights[slot] ?? 1);
      return true;
    }
    if (standsBy(which)) {
      const standby = this.#groups[slot]?.standby;
      if (endpoint.saturated) standby?.suspend(endpoint);
      else standby?.resume(endpoint);
    }
    return false;
  }

  /** Suspends a member, or resumes it, if it is not so already. */
  serve(endpoint: PooledEndpoint): void {
    const { slot } = endpoint;
    const group = this.#groups[slot];
    if (group === undefined) return;
    const serves = !endpoint.saturated && group.level.uses(this.#conditions[slot] ?? 0) ? 1 : 0;
    if (this.#serving[slot] === serves) return;
    this.#serving[slot] = serves;
    if (serves === 1) group.main.resume(endpoint);
    else group.main.suspend(endpoint);
  }

  /** The level came into panic, or out of it. */
  serveAll(level: Level): void {
    for (const endpoint of this.#present) {
      if (this.#groups[endpoint.slot]?.level === level) this.serve(endpoint);
    }
    for (const group of level.groups) group.settle();
  }

  warmed(endpoints: readonly PooledEndpoint[]): void {
    for (const endpoint of endpoints) {
      const { slot } = endpoint;
      this.groupOf(endpoint)?.warmed(endpoint, this.#weights[slot] ?? 1, this.#conditions[slot] ?? 0);
    }
    this.settle();
  }

  settle(): void {
    for (const { groups } of this.#levels) for (const group of groups) group.settle();
  }

  #add(endpoint: PooledEndpoint, weight: number): void {
    const { slot, instance } = endpoint;
    const group = this.#groupFor(instance);
    const which = conditionOf(endpoint);
    this.#endpoints[slot] = endpoint;
    this.#groups[slot] = group;
    this.#records[slot] = instance;
    this.#weights[slot] = weight;
    this.#conditions[slot] = which;
    this.#serving[slot] = 1;
    group.add(endpoint, weight, which);
    this.serve(endpoint);
  }

  #remove(endpoint: PooledEndpoint): void {
    const { slot } = endpoint;
    this.#groups[slot]?.remove(endpoint, this.#weights[slot] ?? 0, this.#conditions[slot] ?? 0);
    this.#endpoints[slot] = undefined;
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
    this.serve(endpoint);
  }

  #groupFor({ priority, zone: itsZone }: ServiceInstance): EndpointGroup {
    const zone = this.#byZone ? itsZone : undefined;
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

  #growColumns(slots: number): void {
    this.#weights = grownFloats(this.#weights, slots);
    this.#conditions = grownInts(this.#conditions, slots);
    this.#serving = grownInts(this.#serving, slots);
    this.#rounds = grownInts(this.#rounds, slots);
  }
}
