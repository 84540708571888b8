import type { Rng } from '@sd/core';
import type { Endpoint, Strategy } from '@sd/load-balancers';

/**
 * Of two endpoints drawn by equal chances, the one with fewer attempts in flight; the first when they are equal.
 * The draws are independent: both may be the same endpoint.
 *
 * Source: Envoy's least request with `choice_count: 2`, equal weights (`unweightedHostPickNChoices` in
 * `extensions/load_balancing_policies/least_request`).
 */
export class EnvoyLeastRequest implements Strategy {
  readonly #rng: Rng;
  #endpoints: readonly Endpoint[] = [];

  constructor({ rng }: { readonly rng: Rng }) {
    this.#rng = rng;
  }

  update(endpoints: readonly Endpoint[]): void {
    this.#endpoints = endpoints;
  }

  pick(): Endpoint | undefined {
    const first = this.#draw();
    const second = this.#draw();
    if (first === undefined || second === undefined) return undefined;
    return second.inFlight < first.inFlight ? second : first;
  }

  #draw(): Endpoint | undefined {
    return this.#endpoints[Math.floor(this.#rng() * this.#endpoints.length)];
  }
}
