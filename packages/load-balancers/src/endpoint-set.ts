import type { DiscoveryLogger, InstancePredicate, ServiceInstance } from '@sd/core';
import type { Endpoint, Outcome } from './endpoint.ts';
import {
  bestPriority,
  healthyBeforeDegraded,
  notEjected,
  takingRequests,
  withWeight,
  type Layer,
} from './layers.ts';
import type { PickRequest, Strategy } from './strategy.ts';

export interface EndpointSetParts {
  readonly strategy: Strategy;
  /** Undefined: all. */
  readonly wanted: InstancePredicate | undefined;
  /** Counts an attempt, and tells the sets of the pool. */
  readonly count: (endpoint: Endpoint) => void;
  /** Asks the pool to update this set, now and with each change. */
  readonly join: (set: EndpointSet) => void;
  readonly logger: DiscoveryLogger;
}

/** The eligible endpoints of a pool for one filter, in the order of one strategy. Made by `EndpointPool.set`. */
export class EndpointSet {
  /** For the pool: whether the strategy wants to know of attempts. */
  readonly listens: boolean;
  readonly #strategy: Strategy;
  readonly #parts: EndpointSetParts;
  readonly #verdicts = new WeakMap<ServiceInstance, boolean>();
  #joined = false;
  #matching: readonly Endpoint[] = [];
  #eligible: readonly Endpoint[] = [];

  constructor(parts: EndpointSetParts) {
    this.#parts = parts;
    this.#strategy = parts.strategy;
    this.listens = parts.strategy.started !== undefined || parts.strategy.finished !== undefined;
  }

  /** Those the filter lets through, whatever their state. */
  get matching(): readonly Endpoint[] {
    if (!this.#joined) this.#parts.join(this);
    return this.#matching;
  }

  /** Those a pick may return. */
  get eligible(): readonly Endpoint[] {
    if (!this.#joined) this.#parts.join(this);
    return this.#eligible;
  }

  /**
   * Hot path. Picks and counts in one step, so that concurrent calls see each other.
   * Each endpoint picked must be given back with `EndpointPool.finish` once; undefined when none is eligible.
   */
  pick(request: PickRequest): Endpoint | undefined {
    if (!this.#joined) this.#parts.join(this);
    const endpoint = this.#strategy.pick(request);
    if (endpoint !== undefined) this.#parts.count(endpoint);
    return endpoint;
  }

  /** For the pool: something about its endpoints changed. */
  update(endpoints: readonly Endpoint[]): void {
    this.#joined = true;
    const { wanted } = this.#parts;
    this.#matching =
      wanted === undefined ? endpoints : endpoints.filter(({ instance }) => this.#matches(instance, wanted));
    this.#eligible = layers.reduce((left, layer) => layer(left), this.#matching);
    this.#strategy.update(this.#eligible);
  }

  /** For the pool: it is not told of changes any more; should it be used again, it asks to join. */
  leave(): void {
    this.#joined = false;
  }

  /** For the pool: an attempt was counted. */
  started(endpoint: Endpoint): void {
    this.#strategy.started?.(endpoint);
  }

  /** For the pool: an attempt ended. */
  finished(endpoint: Endpoint, outcome: Outcome, latencyMs: number): void {
    this.#strategy.finished?.(endpoint, outcome, latencyMs);
  }

  /** A filter is asked once per instance and change. */
  #matches(instance: ServiceInstance, wanted: InstancePredicate): boolean {
    let verdict = this.#verdicts.get(instance);
    if (verdict === undefined) {
      verdict = this.#ask(instance, wanted);
      this.#verdicts.set(instance, verdict);
    }
    return verdict;
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
}

/**
 * In this order: what an operator says with a weight of 0 comes before what we think of the others, and an ejected
 * endpoint makes way for a lower priority before it is used all the same.
 */
const layers: readonly Layer[] = [
  takingRequests,
  withWeight,
  notEjected,
  healthyBeforeDegraded,
  bestPriority,
];
