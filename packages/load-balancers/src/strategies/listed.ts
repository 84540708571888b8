import { ConfigValidationError, describeValue } from '@sd/core';
import type { Endpoint, Outcome } from '../endpoint.ts';
import { PooledEndpoint } from '../pooled-endpoint.ts';
import type { Affinity, IncrementalStrategy, PickRequest, Strategy } from '../strategy.ts';

/** Makes whole lists for a strategy of the simple form. */
export class Listed implements IncrementalStrategy {
  readonly started?: (endpoint: Endpoint) => void;
  readonly finished?: (endpoint: Endpoint, outcome: Outcome, latencyMs: number) => void;
  readonly #name: string;
  readonly #strategy: Strategy;
  readonly #weights = new Map<Endpoint, number>();
  readonly #suspended = new Set<Endpoint>();

  /** @param name of the strategy, for messages */
  constructor(name: string, strategy: Strategy) {
    this.#name = name;
    this.#strategy = strategy;
    // Only where it wants to know, as telling costs time.
    if (strategy.started !== undefined) this.started = (endpoint) => strategy.started?.(endpoint);
    if (strategy.finished !== undefined) {
      this.finished = (endpoint, outcome, latencyMs) => strategy.finished?.(endpoint, outcome, latencyMs);
    }
  }

  get affinity(): Affinity | undefined {
    return this.#strategy.affinity;
  }

  add(endpoint: Endpoint, weight: number): void {
    this.#weights.set(endpoint, weight);
  }

  remove(endpoint: Endpoint): void {
    this.#weights.delete(endpoint);
    this.#suspended.delete(endpoint);
  }

  reweigh(endpoint: Endpoint, weight: number): void {
    this.#weights.set(endpoint, weight);
  }

  suspend(endpoint: Endpoint): void {
    this.#suspended.add(endpoint);
  }

  resume(endpoint: Endpoint): void {
    this.#suspended.delete(endpoint);
  }

  settle(): void {
    const members = [...this.#weights].filter(([endpoint]) => !this.#suspended.has(endpoint));
    this.#strategy.update(
      members.map(([endpoint]) => endpoint),
      members.map(([endpoint, weight]) => weight * endpoint.warmth),
    );
  }

  pick(request: PickRequest): Endpoint | undefined {
    const endpoint = this.#strategy.pick(request);
    if (endpoint === undefined || isEndpoint(endpoint)) return endpoint;
    const expected = 'an endpoint that update() was given, or undefined';
    throw new ConfigValidationError(`Strategy "${this.#name}"`, [
      { field: 'pick()', received: describeValue(endpoint), expected },
    ]);
  }
}

/** Users without types return what they like. */
function isEndpoint(value: unknown): value is Endpoint {
  return typeof value === 'object' && value !== null && PooledEndpoint.is(value as Endpoint);
}
