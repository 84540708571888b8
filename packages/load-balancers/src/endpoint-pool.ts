import {
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
import type { EndpointSet } from './endpoint-set.ts';
import { EndpointSets } from './endpoint-sets.ts';
import type { Endpoint, Outcome } from './endpoint.ts';
import { LoadBalancerFactory } from './load-balancer-factory.ts';
import { PooledEndpoint } from './pooled-endpoint.ts';

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
export class EndpointPool implements Disposable {
  readonly service: string;
  readonly #clock: Clock;
  readonly #sets: EndpointSets;
  readonly #endpoints = new Map<string, PooledEndpoint>();
  readonly #freeSlots: number[] = [];
  #slots = 0;
  #list: readonly PooledEndpoint[] = [];
  readonly #ejections = new Map<PooledEndpoint, { readonly until: number; readonly timer: Timer }>();
  #closed = false;

  constructor(options: EndpointPoolOptions) {
    const { service, zone, factory = new LoadBalancerFactory() } = options;
    const { clock = systemClock, rng = systemRng, logger = globalLogger } = options;
    this.service = service;
    this.#clock = clock;
    this.#sets = new EndpointSets({
      makeStrategy: (name) => factory.create(name, { service, zone, clock, rng }),
      count: (endpoint) => this.#start(endpoint),
      logger,
    });
  }

  /** All endpoints, eligible or not, in the order of the snapshot. */
  get endpoints(): readonly Endpoint[] {
    return this.#list;
  }

  /** Applies a snapshot: the complete list of the service's instances. Of several with one id, the last counts. */
  update(instances: readonly ServiceInstance[]): void {
    const byId = new Map<string, ServiceInstance>();
    for (const instance of instances) byId.set(instance.id, instance);
    for (const endpoint of this.#endpoints.values()) if (!byId.has(endpoint.id)) this.#remove(endpoint);
    this.#list = [...byId.values()].map((instance) => this.#keep(instance) ?? this.#add(instance));
    this.#sets.update(this.#list);
  }

  /**
   * The endpoints that match a filter, in the order of a strategy. The same arguments give the same set; with a filter
   * that is used often, pass the same object each time.
   * @throws {ConfigValidationError} when the strategy is unknown or the filter malformed
   */
  set(strategy: string, filter?: ServiceFilter): EndpointSet {
    return this.#sets.get(strategy, filter);
  }

  /**
   * Gives back an endpoint that a set picked, exactly once.
   * @param latencyMs from the pick to the answer; ignored when the outcome is `cancelled`
   */
  finish(endpoint: Endpoint, outcome: Outcome, latencyMs: number): void {
    if (!PooledEndpoint.is(endpoint) || endpoint.inFlight === 0) return;
    endpoint.inFlight -= 1;
    if (endpoint.gone) {
      if (endpoint.inFlight === 0) this.#freeSlots.push(endpoint.slot);
      return;
    }
    this.#sets.finished(endpoint, outcome, latencyMs);
  }

  /** Takes an endpoint out of rotation for a while; a longer time replaces a shorter one. */
  eject(endpoint: Endpoint, forMs: number): void {
    if (!PooledEndpoint.is(endpoint) || endpoint.gone || this.#closed) return;
    const until = this.#clock.monotonic() + forMs;
    const running = this.#ejections.get(endpoint);
    if (running !== undefined && running.until >= until) return;
    running?.timer.cancel();
    this.#ejections.set(endpoint, {
      until,
      timer: this.#clock.setTimer(() => this.restore(endpoint), forMs),
    });
    if (endpoint.ejected) return;
    endpoint.ejected = true;
    this.#sets.update(this.#list);
  }

  /** Puts an ejected endpoint back into rotation. */
  restore(endpoint: Endpoint): void {
    if (!PooledEndpoint.is(endpoint) || !endpoint.ejected) return;
    this.#forgetEjection(endpoint);
    this.#sets.update(this.#list);
  }

  /** Stops its timers, and ejects no more. Attempts under way may finish. Idempotent. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#ejections.values()) timer.cancel();
    this.#ejections.clear();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Hot path. */
  #start(endpoint: Endpoint): void {
    if (!PooledEndpoint.is(endpoint)) return;
    endpoint.inFlight += 1;
    this.#sets.started(endpoint);
  }

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
    this.#ejections.get(endpoint)?.timer.cancel();
    this.#ejections.delete(endpoint);
  }
}
