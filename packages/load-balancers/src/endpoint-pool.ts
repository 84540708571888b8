import {
  compileServiceFilter,
  globalLogger,
  systemClock,
  systemRng,
  type Clock,
  type DiscoveryLogger,
  type Rng,
  type ServiceFilter,
  type ServiceInstance,
  type Timer,
} from '@sd/core';
import { EndpointSet } from './endpoint-set.ts';
import type { Endpoint, Outcome } from './endpoint.ts';
import { LoadBalancerFactory } from './load-balancer-factory.ts';

export interface EndpointPoolOptions {
  readonly service: string;
  /** Default: one with the six strategies of the package. */
  readonly factory?: LoadBalancerFactory | undefined;
  /** The consumer's own zone, for `zone-aware`. */
  readonly zone?: string | undefined;
  readonly clock?: Clock | undefined;
  readonly rng?: Rng | undefined;
  readonly logger?: DiscoveryLogger | undefined;
}

/**
 * The endpoints of one service and what is known of them. Statistics belong to an endpoint: they survive changes of
 * membership, are shared by all sets, and leave with it.
 */
export class EndpointPool {
  readonly service: string;
  readonly #factory: LoadBalancerFactory;
  readonly #zone: string | undefined;
  readonly #clock: Clock;
  readonly #rng: Rng;
  readonly #logger: DiscoveryLogger;
  readonly #endpoints = new Map<string, PooledEndpoint>();
  readonly #freeSlots: number[] = [];
  #slots = 0;
  #list: readonly PooledEndpoint[] = [];
  readonly #sets = new Map<string, EndpointSet>();
  #setList: readonly EndpointSet[] = [];
  readonly #keys = new FilterKeys();
  readonly #ejections = new Map<PooledEndpoint, Timer>();

  constructor(options: EndpointPoolOptions) {
    this.service = options.service;
    this.#factory = options.factory ?? new LoadBalancerFactory();
    this.#zone = options.zone;
    this.#clock = options.clock ?? systemClock;
    this.#rng = options.rng ?? systemRng;
    this.#logger = options.logger ?? globalLogger;
  }

  /** All endpoints, eligible or not, in the order of the snapshot. */
  get endpoints(): readonly Endpoint[] {
    return this.#list;
  }

  /** Applies a snapshot: the complete list of the service's instances. */
  update(instances: readonly ServiceInstance[]): void {
    const present = new Set(instances.map(({ id }) => id));
    for (const endpoint of this.#endpoints.values()) if (!present.has(endpoint.id)) this.#remove(endpoint);
    this.#list = instances.map((instance) => this.#keep(instance) ?? this.#add(instance));
    this.#rebuild();
  }

  /**
   * The endpoints that match a filter, in the order of a strategy. The same arguments give the same set; with a filter
   * that is used often, pass the same object each time.
   * @throws {ConfigValidationError} when the strategy is unknown or the filter malformed
   */
  set(strategy: string, filter?: ServiceFilter): EndpointSet {
    const key = filter === undefined ? strategy : `${strategy} ${this.#keys.keyOf(filter)}`;
    return this.#sets.get(key) ?? this.#makeSet(key, strategy, filter);
  }

  /**
   * Gives back an endpoint that a set picked, exactly once.
   * @param latencyMs from the pick to the answer; ignored when the outcome is `cancelled`
   */
  finish(endpoint: Endpoint, outcome: Outcome, latencyMs: number): void {
    if (!(endpoint instanceof PooledEndpoint)) return;
    endpoint.inFlight -= 1;
    if (endpoint.gone) {
      if (endpoint.inFlight === 0) this.#freeSlots.push(endpoint.slot);
      return;
    }
    for (const set of this.#setList) set.finished(endpoint, outcome, latencyMs);
  }

  /** Takes an endpoint out of rotation for a while; a longer time replaces a shorter one. */
  eject(endpoint: Endpoint, forMs: number): void {
    if (!(endpoint instanceof PooledEndpoint) || endpoint.gone) return;
    this.#ejections.get(endpoint)?.cancel();
    this.#ejections.set(
      endpoint,
      this.#clock.setTimer(() => this.restore(endpoint), forMs),
    );
    if (endpoint.ejected) return;
    endpoint.ejected = true;
    this.#rebuild();
  }

  /** Puts an ejected endpoint back into rotation. */
  restore(endpoint: Endpoint): void {
    if (!(endpoint instanceof PooledEndpoint) || !endpoint.ejected) return;
    this.#forgetEjection(endpoint);
    this.#rebuild();
  }

  /** Stops its timers. */
  close(): void {
    for (const timer of this.#ejections.values()) timer.cancel();
    this.#ejections.clear();
  }

  #makeSet(key: string, strategy: string, filter: ServiceFilter | undefined): EndpointSet {
    const set = new EndpointSet({
      strategy: this.#factory.create(strategy, {
        service: this.service,
        zone: this.#zone,
        clock: this.#clock,
        rng: this.#rng,
      }),
      wanted: filter === undefined ? () => true : compileServiceFilter(filter),
      started: this.#start,
      logger: this.#logger,
    });
    set.update(this.#list);
    const [oldest] = this.#sets.keys();
    if (this.#sets.size >= maxSets && oldest !== undefined) this.#sets.delete(oldest);
    this.#sets.set(key, set);
    this.#setList = [...this.#sets.values()];
    return set;
  }

  /** Hot path. */
  readonly #start = (endpoint: Endpoint): void => {
    if (!(endpoint instanceof PooledEndpoint)) return;
    endpoint.inFlight += 1;
    const sets = this.#setList;
    for (let index = 0; index < sets.length; index += 1) sets[index]?.started(endpoint);
  };

  #keep(instance: ServiceInstance): PooledEndpoint | undefined {
    const endpoint = this.#endpoints.get(instance.id);
    if (endpoint === undefined) return undefined;
    const { host, port, registeredAt } = endpoint.instance;
    if (host !== instance.host || port !== instance.port || registeredAt !== instance.registeredAt) {
      this.#remove(endpoint); // the same identity in another process: what was known does not hold for it
      return undefined;
    }
    endpoint.instance = instance;
    return endpoint;
  }

  #add(instance: ServiceInstance): PooledEndpoint {
    const endpoint = new PooledEndpoint(instance, this.#freeSlots.pop() ?? this.#slots++);
    this.#endpoints.set(instance.id, endpoint);
    return endpoint;
  }

  #remove(endpoint: PooledEndpoint): void {
    this.#endpoints.delete(endpoint.id);
    this.#forgetEjection(endpoint);
    endpoint.gone = true;
    if (endpoint.inFlight === 0) this.#freeSlots.push(endpoint.slot);
  }

  #forgetEjection(endpoint: PooledEndpoint): void {
    endpoint.ejected = false;
    this.#ejections.get(endpoint)?.cancel();
    this.#ejections.delete(endpoint);
  }

  #rebuild(): void {
    for (const set of this.#setList) set.update(this.#list);
  }
}

/** More combinations of strategy and filter than this are not kept at once; the oldest goes first. */
const maxSets = 64;

class PooledEndpoint implements Endpoint {
  readonly id: string;
  readonly slot: number;
  instance: ServiceInstance;
  inFlight = 0;
  ejected = false;
  gone = false;

  constructor(instance: ServiceInstance, slot: number) {
    this.id = instance.id;
    this.instance = instance;
    this.slot = slot;
  }
}

/** The same key for filters that say the same; a predicate is the same only if it is the same function. */
class FilterKeys {
  readonly #byFilter = new WeakMap<ServiceFilter, string>();
  readonly #predicates = new WeakMap<object, number>();
  #nextPredicate = 0;

  keyOf(filter: ServiceFilter): string {
    if (typeof filter !== 'object' || filter === null) return String(filter); // refused when it is compiled
    let key = this.#byFilter.get(filter);
    if (key === undefined) {
      key = JSON.stringify(filter, (_field, value: unknown) => {
        if (typeof value === 'function') return this.#numberOf(value);
        if (typeof value !== 'object' || value === null || Array.isArray(value)) return value;
        return Object.fromEntries(Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1)));
      });
      this.#byFilter.set(filter, key);
    }
    return key;
  }

  #numberOf(predicate: object): number {
    let number = this.#predicates.get(predicate);
    if (number === undefined) {
      number = this.#nextPredicate;
      this.#nextPredicate += 1;
      this.#predicates.set(predicate, number);
    }
    return number;
  }
}
