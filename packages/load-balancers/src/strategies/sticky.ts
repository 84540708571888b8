import { ConfigValidationError, describeValue, systemRng, type Rng } from '@sd/core';
import type { Endpoint, Outcome } from '../endpoint.ts';
import type { Affinity, IncrementalStrategy, PickRequest } from '../strategy.ts';
import { LeastRequest } from './least-request.ts';

export interface StickyOptions {
  /** Chooses for keys that are new, and for calls without one. Default: least request. */
  readonly inner?: IncrementalStrategy | undefined;
  /** At least so many keys are remembered, and at most twice as many; those used last. Default: 50,000. */
  readonly keys?: number | undefined;
  readonly rng?: Rng | undefined;
}

/**
 * A key stays with the endpoint that it got first, for as long as that takes requests; also while it drains, so that
 * sessions can come to their end. Loads are even, as another strategy chooses for each new key; but each consumer
 * remembers for itself, and forgets when it restarts: where all must agree, take consistent hashing.
 */
export class Sticky implements IncrementalStrategy {
  affinity: Affinity | undefined;
  readonly #inner: IncrementalStrategy;
  readonly #most: number;
  /** By slot: all members, and those of them that take requests. */
  readonly #members: (Endpoint | undefined)[] = [];
  readonly #open: (Endpoint | undefined)[] = [];
  #recent = new Map<string, Endpoint>();
  #older = new Map<string, Endpoint>();

  /** @throws {ConfigValidationError} when `keys` is not a whole number above 0 */
  constructor({ rng = systemRng, inner = new LeastRequest({ rng }), keys = 50_000 }: StickyOptions = {}) {
    if (!(Number.isInteger(keys) && keys > 0)) {
      throw new ConfigValidationError('Sticky', [
        { field: 'keys', received: describeValue(keys), expected: 'a whole number above 0' },
      ]);
    }
    this.#inner = inner;
    this.#most = keys;
  }

  add(endpoint: Endpoint, weight: number): void {
    this.#members[endpoint.slot] = endpoint;
    this.#open[endpoint.slot] = endpoint;
    this.#inner.add(endpoint, weight);
  }

  remove(endpoint: Endpoint): void {
    this.#members[endpoint.slot] = undefined;
    this.#open[endpoint.slot] = undefined;
    this.#inner.remove(endpoint);
  }

  reweigh(endpoint: Endpoint, weight: number): void {
    this.#inner.reweigh(endpoint, weight);
  }

  suspend(endpoint: Endpoint): void {
    this.#open[endpoint.slot] = undefined;
    this.#inner.suspend(endpoint);
  }

  resume(endpoint: Endpoint): void {
    this.#open[endpoint.slot] = endpoint;
    this.#inner.resume(endpoint);
  }

  settle(): void {
    this.#inner.settle?.();
  }

  started(endpoint: Endpoint): void {
    this.#inner.started?.(endpoint);
  }

  finished(endpoint: Endpoint, outcome: Outcome, latencyMs: number): void {
    this.#inner.finished?.(endpoint, outcome, latencyMs);
  }

  pick(request: PickRequest): Endpoint | undefined {
    const { key, tried } = request;
    this.affinity = undefined;
    if (key === undefined) return this.#inner.pick(request);
    const home = this.#recent.get(key) ?? this.#promote(key);
    const stays = home !== undefined && this.#keeps(home);
    if (stays && (tried.length === 0 || !tried.includes(home))) {
      this.affinity = 'sticky';
      return home;
    }
    const endpoint = this.#inner.pick(request);
    if (home !== undefined) this.affinity = 'fallback';
    if (endpoint !== undefined && !stays && !tried.includes(endpoint)) this.#remember(key, endpoint);
    return endpoint;
  }

  #keeps(home: Endpoint): boolean {
    if (this.#open[home.slot] === home) return true;
    if (this.#members[home.slot] !== home || home.ejected || home.saturated) return false;
    if (home.isolated || home.checked === 'unhealthy') return false;
    return home.instance.status === 'draining';
  }

  #promote(key: string): Endpoint | undefined {
    const endpoint = this.#older.get(key);
    if (endpoint !== undefined) this.#remember(key, endpoint);
    return endpoint;
  }

  #remember(key: string, endpoint: Endpoint): void {
    if (this.#recent.size >= this.#most) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(key, endpoint);
  }
}
