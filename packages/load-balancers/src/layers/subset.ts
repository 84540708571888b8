import { takesRequests } from '@sd/core';
import { grownFloats } from '../columns.ts';
import type { Endpoint } from '../endpoint.ts';
import { hashText, mix } from '../hash.ts';
import { nthOf } from '../select.ts';

export interface SubsetOptions {
  /** How many endpoints of each priority a consumer calls. */
  readonly size: number;
  /** What tells this consumer from others, e.g. its own instance id: the same client gets the same subset. */
  readonly client: string;
}

/**
 * For large fleets: each consumer calls some endpoints, so that connections grow with consumers times `size`. Chosen are
 * those whose hash with the client's name is highest, so that one that joins or leaves changes at most one of them.
 *
 * Source: gRFC A68, random subsetting by rendezvous hashing.
 */
export class Subset {
  readonly #size: number;
  readonly #client: number;
  /** By slot; of the endpoint that is in `#known`. */
  #scores = new Float64Array(0);
  readonly #known: (Endpoint | undefined)[] = [];

  constructor({ size, client }: SubsetOptions) {
    this.#size = size;
    this.#client = hashText(client);
  }

  /** Sets the weights of those that are not chosen to 0; those whose weight is 0 already are not counted. */
  apply(endpoints: readonly Endpoint[], weights: Float64Array): void {
    if (endpoints.length <= this.#size) return;
    const scores = new Map<number, number[]>();
    for (let place = 0; place < endpoints.length; place += 1) {
      const endpoint = endpoints[place];
      if (endpoint === undefined || (weights[place] ?? 0) === 0 || !takesRequests(endpoint.instance.status))
        continue;
      const { priority } = endpoint.instance;
      const ofPriority = scores.get(priority);
      if (ofPriority === undefined) scores.set(priority, [this.#scoreOf(endpoint)]);
      else ofPriority.push(this.#scoreOf(endpoint));
    }
    for (const [priority, candidates] of scores) {
      if (candidates.length <= this.#size) continue;
      const least = nthOf(Float64Array.from(candidates), candidates.length - this.#size);
      endpoints.forEach((endpoint, place) => {
        const { status, priority: its } = endpoint.instance;
        if (its === priority && takesRequests(status) && this.#scoreOf(endpoint) < least) weights[place] = 0;
      });
    }
  }

  #scoreOf(endpoint: Endpoint): number {
    const { id, slot } = endpoint;
    if (this.#known[slot] === endpoint) return this.#scores[slot] ?? 0;
    this.#known[slot] = endpoint;
    this.#scores = grownFloats(this.#scores, slot + 1);
    const score = (mix(hashText(id) ^ this.#client) >>> 0) + (hashText(id, 1) >>> 0) / 2 ** 32; // in 52 bits there are no ties
    this.#scores[slot] = score;
    return score;
  }
}
