import { systemRng, type Rng } from '@sd/core';
import type { Endpoint } from '../endpoint.ts';
import { firstUntried, type PickRequest, type Strategy } from '../strategy.ts';

/** Any endpoint, each as likely as the others, whatever their weights. */
export class Random implements Strategy {
  readonly #rng: Rng;
  #endpoints: readonly Endpoint[] = [];

  constructor({ rng = systemRng }: { readonly rng?: Rng | undefined } = {}) {
    this.#rng = rng;
  }

  update(endpoints: readonly Endpoint[]): void {
    this.#endpoints = endpoints;
  }

  pick({ tried }: PickRequest): Endpoint | undefined {
    const first = this.#endpoints[this.#draw()];
    if (first === undefined || tried.length === 0 || !tried.includes(first)) return first;
    // Drawn again, rather than passed on to its neighbour, which would get the share of both.
    for (let draws = 0; draws < 8; draws += 1) {
      const endpoint = this.#endpoints[this.#draw()];
      if (endpoint !== undefined && !tried.includes(endpoint)) return endpoint;
    }
    return firstUntried(this.#endpoints, this.#draw(), tried);
  }

  #draw(): number {
    return Math.floor(this.#rng() * this.#endpoints.length);
  }
}
