import { systemRng, type Rng } from '@sd/core';
import { Draws } from '../draws.ts';
import type { Endpoint } from '../endpoint.ts';
import { firstUntried, type IncrementalStrategy, type PickRequest } from '../strategy.ts';
import { Rotation } from './rotation.ts';

/** Any endpoint, each as likely as the others, whatever their weights; one that is warming up is less likely. */
export class Random implements IncrementalStrategy {
  readonly #draws: Draws;
  readonly #rotation: Rotation;

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
    const { members } = this.#rotation;
    // Drawn again, rather than passed on to its neighbour, which would get the share of both.
    for (let draws = 0; draws < 16; draws += 1) {
      const endpoint = members[this.#draws.below(members.length)];
      if (endpoint === undefined) return undefined;
      if (endpoint.warmth < 1 && !this.#draws.hits(endpoint.warmth)) continue;
      if (tried.length === 0 || !tried.includes(endpoint)) return endpoint;
    }
    return firstUntried(members, this.#draws.below(members.length), tried);
  }
}
