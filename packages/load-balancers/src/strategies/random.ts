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
    return firstUntried(this.#endpoints, Math.floor(this.#rng() * this.#endpoints.length), tried);
  }
}
