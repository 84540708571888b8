import { systemRng, type Rng } from '@sd/core';
import { Draws } from '../draws.ts';
import type { Endpoint } from '../endpoint.ts';
import { firstUntried, type PickRequest, type Strategy } from '../strategy.ts';

/** Any endpoint, each as likely as the others, whatever their weights. */
export class Random implements Strategy {
  readonly #draws: Draws;
  #endpoints: readonly Endpoint[] = [];

  constructor({ rng = systemRng }: { readonly rng?: Rng | undefined } = {}) {
    this.#draws = new Draws(rng);
  }

  update(endpoints: readonly Endpoint[]): void {
    this.#endpoints = endpoints;
  }

  pick({ tried }: PickRequest): Endpoint | undefined {
    const first = this.#endpoints[this.#draws.below(this.#endpoints.length)];
    if (first === undefined || tried.length === 0 || !tried.includes(first)) return first;
    // Drawn again, rather than passed on to its neighbour, which would get the share of both.
    for (let draws = 0; draws < 8; draws += 1) {
      const endpoint = this.#endpoints[this.#draws.below(this.#endpoints.length)];
      if (endpoint !== undefined && !tried.includes(endpoint)) return endpoint;
    }
    return firstUntried(this.#endpoints, this.#draws.below(this.#endpoints.length), tried);
  }
}
