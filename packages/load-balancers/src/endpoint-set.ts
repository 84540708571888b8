import type { DiscoveryLogger, InstancePredicate } from '@sd/core';
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

/** The eligible endpoints of a pool for one filter, in the order of one strategy. Made by `EndpointPool.set`. */
export class EndpointSet {
  readonly #strategy: Strategy;
  readonly #wanted: InstancePredicate;
  readonly #started: (endpoint: Endpoint) => void;
  readonly #logger: DiscoveryLogger;
  #matching: readonly Endpoint[] = [];
  #eligible: readonly Endpoint[] = [];

  constructor(parts: {
    readonly strategy: Strategy;
    readonly wanted: InstancePredicate;
    readonly started: (endpoint: Endpoint) => void;
    readonly logger: DiscoveryLogger;
  }) {
    this.#strategy = parts.strategy;
    this.#wanted = parts.wanted;
    this.#started = parts.started;
    this.#logger = parts.logger;
  }

  /** Those the filter lets through, whatever their state. */
  get matching(): readonly Endpoint[] {
    return this.#matching;
  }

  /** Those a pick may return. */
  get eligible(): readonly Endpoint[] {
    return this.#eligible;
  }

  /**
   * Hot path. Picks and counts in one step, so that concurrent calls see each other.
   * Each endpoint picked must be given back with `EndpointPool.finish` once; undefined when none is eligible.
   */
  pick(request: PickRequest): Endpoint | undefined {
    const endpoint = this.#strategy.pick(request);
    if (endpoint !== undefined) this.#started(endpoint);
    return endpoint;
  }

  /** For the pool: something about its endpoints changed. */
  update(endpoints: readonly Endpoint[]): void {
    this.#matching = endpoints.filter(this.#matches);
    this.#eligible = layers.reduce((left, layer) => layer(left), this.#matching);
    this.#strategy.update(this.#eligible);
  }

  /** For the pool: an attempt was counted. */
  started(endpoint: Endpoint): void {
    this.#strategy.started?.(endpoint);
  }

  /** For the pool: an attempt ended. */
  finished(endpoint: Endpoint, outcome: Outcome, latencyMs: number): void {
    this.#strategy.finished?.(endpoint, outcome, latencyMs);
  }

  readonly #matches = ({ instance }: Endpoint): boolean => {
    try {
      return this.#wanted(instance);
    } catch (error) {
      this.#logger.error(`The filter of service "${instance.service}" threw; "${instance.id}" is left out`, {
        error,
      });
      return false;
    }
  };
}

/** In this order: an ejected endpoint makes way for a lower priority before it is used all the same. */
const layers: readonly Layer[] = [
  takingRequests,
  notEjected,
  healthyBeforeDegraded,
  bestPriority,
  withWeight,
];
