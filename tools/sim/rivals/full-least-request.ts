import type { Rng } from '@sd/core';
import type { Endpoint, Strategy } from '@sd/load-balancers';

/**
 * Of all endpoints, the one with the fewest attempts in flight; among equals any, by equal chances.
 *
 * Source: Envoy's least request with `selection_method: FULL_SCAN`, equal weights (`LeastRequestLoadBalancer` in
 * `extensions/load_balancing_policies/least_request`).
 */
export class FullLeastRequest implements Strategy {
  readonly #rng: Rng;
  #endpoints: readonly Endpoint[] = [];

  constructor({ rng }: { readonly rng: Rng }) {
    this.#rng = rng;
  }

  update(endpoints: readonly Endpoint[]): void {
    this.#endpoints = endpoints;
  }

  pick(): Endpoint | undefined {
    let best: Endpoint | undefined;
    let equals = 0;
    for (const endpoint of this.#endpoints) {
      if (best === undefined || endpoint.inFlight < best.inFlight) {
        best = endpoint;
        equals = 1;
      } else if (endpoint.inFlight === best.inFlight) {
        equals += 1;
        if (this.#rng() * equals < 1) best = endpoint;
      }
    }
    return best;
  }
}
