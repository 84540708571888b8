import { systemRng, type Rng } from '@sd/core';
import type { Endpoint } from '../endpoint.ts';
import type { PickRequest, Strategy } from '../strategy.ts';

/**
 * One after the other, whatever their weights. Starts at random, so that consumers started together do not hit the
 * same endpoint first, and goes on with the endpoint that was due when the set changes.
 */
export class RoundRobin implements Strategy {
  readonly #rng: Rng;
  #endpoints: readonly Endpoint[] = [];
  #next = 0;

  constructor({ rng = systemRng }: { readonly rng?: Rng | undefined } = {}) {
    this.#rng = rng;
  }

  update(endpoints: readonly Endpoint[]): void {
    this.#next = resumeAt(endpoints, this.#endpoints, this.#next, this.#rng);
    this.#endpoints = endpoints;
  }

  pick({ tried }: PickRequest): Endpoint | undefined {
    let endpoint = this.#take();
    if (tried.length === 0) return endpoint;
    for (let left = this.#endpoints.length - 1; left > 0; left -= 1) {
      if (endpoint === undefined || !tried.includes(endpoint)) break;
      endpoint = this.#take();
    }
    return endpoint;
  }

  #take(): Endpoint | undefined {
    const endpoint = this.#endpoints[this.#next];
    this.#next = this.#next + 1 < this.#endpoints.length ? this.#next + 1 : 0;
    return endpoint;
  }
}

/** Where in `endpoints` a rotation goes on that was at index `next` of `before`; anywhere if it had not begun. */
export function resumeAt(
  endpoints: readonly Endpoint[],
  before: readonly Endpoint[],
  next: number,
  rng: Rng,
): number {
  const due = before[next];
  if (due === undefined) return Math.floor(rng() * endpoints.length);
  const index = endpoints.indexOf(due);
  if (index >= 0) return index;
  return next < endpoints.length ? next : 0; // it left, and the one after it took its place
}
