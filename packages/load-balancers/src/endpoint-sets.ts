import { compileServiceFilter, type InstancePredicate, type ServiceFilter } from '@sd/core';
import type { EndpointSet } from './endpoint-set.ts';
import type { Outcome } from './endpoint.ts';
import { FilterKeys } from './filter-keys.ts';
import type { PooledEndpoint } from './pooled-endpoint.ts';

/** Makes a set of a strategy. @throws {ConfigValidationError} when the strategy is unknown */
export type SetMaker = (
  strategy: string,
  wanted: InstancePredicate | undefined,
  join: (set: EndpointSet) => void,
) => EndpointSet;

/** The sets of one pool: makes them, finds them again, and tells them what happens. */
export class EndpointSets {
  readonly #make: SetMaker;
  readonly #report: (error: unknown) => void;
  #endpoints: readonly PooledEndpoint[] = [];
  #slots = 0;
  /** Finds a set without building its key: callers that use a filter often pass the same object. */
  readonly #byFilter = new WeakMap<ServiceFilter, Map<string, EndpointSet>>();
  readonly #byKey = new Map<string, EndpointSet>();
  readonly #filterKeys = new FilterKeys();
  /** Those that are told of changes, and of these, those that are told of attempts. */
  readonly #joined = new Set<EndpointSet>();
  #listening: readonly EndpointSet[] = [];

  /** @param report hears of what strategies throw where no caller waits */
  constructor(make: SetMaker, report: (error: unknown) => void) {
    this.#make = make;
    this.#report = report;
  }

  /** @throws {ConfigValidationError} when the strategy is unknown or the filter malformed */
  get(strategy: string, filter: ServiceFilter = everything): EndpointSet {
    return this.#byFilter.get(filter)?.get(strategy) ?? this.#find(strategy, filter);
  }

  /** @param slots all slots are below this */
  update(endpoints: readonly PooledEndpoint[], slots: number): void {
    this.#endpoints = endpoints;
    this.#slots = slots;
    this.#tell((set) => set.update(endpoints, slots));
  }

  changed(endpoint: PooledEndpoint): void {
    this.#tell((set) => set.changed(endpoint));
  }

  warmed(endpoints: readonly PooledEndpoint[]): void {
    this.#tell((set) => set.warmed(endpoints));
  }

  /** Hot path. */
  started(endpoint: PooledEndpoint): void {
    const sets = this.#listening;
    for (let index = 0; index < sets.length; index += 1) {
      try {
        sets[index]?.started(endpoint);
      } catch (error) {
        this.#report(error);
      }
    }
  }

  /** Hot path. */
  finished(endpoint: PooledEndpoint, outcome: Outcome, latencyMs: number): void {
    const sets = this.#listening;
    for (let index = 0; index < sets.length; index += 1) {
      try {
        sets[index]?.finished(endpoint, outcome, latencyMs);
      } catch (error) {
        this.#report(error);
      }
    }
  }

  /** One whose strategy throws does not keep others from hearing of it. */
  #tell(act: (set: EndpointSet) => void): void {
    for (const set of this.#joined) {
      try {
        act(set);
      } catch (error) {
        this.#drop(set);
        this.#report(error);
      }
    }
  }

  #drop(set: EndpointSet): void {
    this.#joined.delete(set);
    this.#listening = this.#listening.filter((each) => each !== set);
    set.leave();
  }

  #find(strategy: string, filter: ServiceFilter): EndpointSet {
    const wanted = compileServiceFilter(filter);
    const filterKey = this.#filterKeys.keyOf(filter);
    const key = `${strategy} ${filterKey}`;
    const set =
      this.#byKey.get(key) ?? this.#make(strategy, filterKey === '{}' ? undefined : wanted, this.#join);
    this.#byKey.delete(key);
    this.#byKey.set(key, set);
    for (const oldest of this.#byKey.keys()) {
      if (this.#byKey.size <= maxSets) break;
      this.#byKey.delete(oldest);
    }
    const strategies = this.#byFilter.get(filter) ?? new Map<string, EndpointSet>();
    this.#byFilter.set(filter, strategies.set(strategy, set));
    return set;
  }

  /** A set joins with its first use, and again if it is used after it had to make room. */
  readonly #join = (set: EndpointSet): void => {
    this.#joined.add(set);
    for (const oldest of this.#joined) {
      if (this.#joined.size <= maxSets) break;
      this.#joined.delete(oldest);
      oldest.leave();
    }
    this.#listening = [...this.#joined].filter(({ listens }) => listens);
    try {
      set.update(this.#endpoints, this.#slots);
    } catch (error) {
      this.#drop(set);
      throw error; // whoever uses it hears of it
    }
  };
}

const everything: ServiceFilter = Object.freeze({});

/** More combinations of strategy and filter than this are not kept up to date at once. */
const maxSets = 64;
