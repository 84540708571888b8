import { systemRng, type Rng } from '@sd/core';
import type { Endpoint } from '../endpoint.ts';
import { firstUntried, type PickRequest, type Strategy } from '../strategy.ts';

/**
 * One after the other, whatever their weights. Starts at random, so that consumers started together do not hit the
 * same endpoint first, and goes on where it was when the set changes.
 */
export class RoundRobin implements Strategy {
  readonly #rng: Rng;
  #endpoints: readonly Endpoint[] = [];
  #next = -1;

  constructor({ rng = systemRng }: { readonly rng?: Rng | undefined } = {}) {
    this.#rng = rng;
  }

  update(endpoints: readonly Endpoint[]): void {
    this.#endpoints = endpoints;
    if (this.#next < 0) this.#next = Math.floor(this.#rng() * endpoints.length);
  }

  pick({ tried }: PickRequest): Endpoint | undefined {
    const index = this.#next < this.#endpoints.length ? this.#next : 0;
    this.#next = index + 1;
    return firstUntried(this.#endpoints, index, tried);
  }
}
