import { systemRng, type Rng } from '@sd/core';
import { Draws } from '../draws.ts';
import type { Endpoint } from '../endpoint.ts';
import type { IncrementalStrategy, PickRequest } from '../strategy.ts';
import { EqualMembers } from './equal-members.ts';

/**
 * One after the other, whatever their weights. Starts at random, so that consumers started together do not hit the
 * same endpoint first, and keeps everybody's turn when the set changes. One that is warming up misses turns by chance.
 * Retries and hedges go round apart from that.
 */
export class RoundRobin extends EqualMembers implements IncrementalStrategy {
  readonly #draws: Draws;

  constructor({ rng = systemRng }: { readonly rng?: Rng | undefined } = {}) {
    super(rng);
    this.#draws = new Draws(rng);
  }

  pick({ tried }: PickRequest): Endpoint | undefined {
    const endpoint = this.#take(tried);
    if (endpoint === undefined || (endpoint.warmth === 1 && tried.length === 0)) return endpoint;
    return this.#warmAndUntried(endpoint, tried);
  }

  #take(tried: readonly Endpoint[]): Endpoint | undefined {
    return tried.length === 0 ? this.rotation.take() : this.rotation.takeAside();
  }

  #warmAndUntried(due: Endpoint, tried: readonly Endpoint[]): Endpoint {
    let spare: Endpoint | undefined;
    let endpoint: Endpoint | undefined = due;
    for (let left = this.rotation.size; left > 0 && endpoint !== undefined; left -= 1) {
      if (tried.length === 0 || !tried.includes(endpoint)) {
        if (endpoint.warmth === 1 || this.#draws.hits(endpoint.warmth)) return endpoint;
        spare = endpoint;
      }
      endpoint = this.#take(tried);
    }
    return spare ?? due;
  }
}
