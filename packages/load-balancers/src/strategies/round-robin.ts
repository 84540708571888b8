import { systemRng, type Rng } from '@sd/core';
import { Draws } from '../draws.ts';
import type { Endpoint } from '../endpoint.ts';
import type { IncrementalStrategy, PickRequest } from '../strategy.ts';
import { Rotation } from './rotation.ts';

/**
 * One after the other, whatever their weights. Starts at random, so that consumers started together do not hit the
 * same endpoint first, and keeps everybody's turn when the set changes. One that is warming up misses turns by chance.
 */
export class RoundRobin implements IncrementalStrategy {
  readonly #rotation: Rotation;
  readonly #draws: Draws;

  constructor({ rng = systemRng }: { readonly rng?: Rng | undefined } = {}) {
    this.#draws = new Draws(rng);
    this.#rotation = new Rotation(rng);
  }

  add(endpoint: Endpoint): void {
    this.#rotation.add(endpoint);
  }

  remove(endpoint: Endpoint): void {
    this.#rotation.remove(endpoint);
  }

  reweigh(): void {
    // Warmth is read with each pick, and weights do not count.
  }

  suspend(endpoint: Endpoint): void {
    this.#rotation.remove(endpoint);
  }

  resume(endpoint: Endpoint): void {
    this.#rotation.add(endpoint);
  }

  pick({ tried }: PickRequest): Endpoint | undefined {
    const endpoint = this.#rotation.take();
    if (endpoint === undefined || (endpoint.warmth === 1 && tried.length === 0)) return endpoint;
    return this.#warmAndUntried(endpoint, tried);
  }

  #warmAndUntried(due: Endpoint, tried: readonly Endpoint[]): Endpoint {
    let spare: Endpoint | undefined;
    let endpoint: Endpoint | undefined = due;
    for (let left = this.#rotation.size; left > 0 && endpoint !== undefined; left -= 1) {
      if (tried.length === 0 || !tried.includes(endpoint)) {
        if (endpoint.warmth === 1 || this.#draws.hits(endpoint.warmth)) return endpoint;
        spare = endpoint;
      }
      endpoint = this.#rotation.take();
    }
    return spare ?? due;
  }
}
