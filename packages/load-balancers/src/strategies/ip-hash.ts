import { systemRng, type Rng } from '@sd/core';
import type { Endpoint } from '../endpoint.ts';
import { hashText, mix } from '../hash.ts';
import { firstUntried, type PickRequest, type Strategy } from '../strategy.ts';

/**
 * The same key goes to the same endpoint while that is there, and a change of members moves only the keys it must:
 * a consistent-hash ring (Karger et al., 1997). The key, usually the client's address, comes with each call; a call
 * without one goes to any endpoint. An endpoint owns points in proportion to its weight.
 * A pick is a binary search: O(log n), the price of a ring.
 */
export class IpHash implements Strategy {
  readonly #rng: Rng;
  #endpoints: readonly Endpoint[] = [];
  /** Sorted; the point at an index belongs to the endpoint at the same index of `#owners`. */
  #points = new Uint32Array(0);
  #owners = new Uint32Array(0);

  constructor({ rng = systemRng }: { readonly rng?: Rng | undefined } = {}) {
    this.#rng = rng;
  }

  update(endpoints: readonly Endpoint[]): void {
    const perWeight = pointsPerWeight(endpoints.length);
    const counts = endpoints.map(({ instance }) =>
      Math.max(1, Math.round(Math.min(instance.weight, 64) * perWeight)),
    );
    // Hash and owner in one double, so that the typed array's native sort orders both.
    const ring = new Float64Array(counts.reduce((sum, count) => sum + count, 0));
    let filled = 0;
    endpoints.forEach(({ id }, owner) => {
      const seed = hashText(id);
      for (let point = 0; point < (counts[owner] ?? 0); point += 1) {
        ring[filled] = mix(seed + Math.imul(point, 0x9e3779b9)) * ownerLimit + owner;
        filled += 1;
      }
    });
    ring.sort();
    this.#endpoints = endpoints;
    this.#points = Uint32Array.from(ring, (entry) => Math.floor(entry / ownerLimit));
    this.#owners = Uint32Array.from(ring, (entry) => entry % ownerLimit);
  }

  pick({ key, tried }: PickRequest): Endpoint | undefined {
    if (key === undefined) {
      return firstUntried(this.#endpoints, Math.floor(this.#rng() * this.#endpoints.length), tried);
    }
    const at = this.#firstPointFrom(hashText(key));
    const owner = this.#endpoints[this.#owners[at] ?? 0];
    if (owner === undefined || tried.length === 0 || !tried.includes(owner)) return owner;
    return this.#nextUntriedOwner(at, tried) ?? owner;
  }

  #firstPointFrom(hash: number): number {
    const points = this.#points;
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((points[middle] ?? 0) < hash) low = middle + 1;
      else high = middle;
    }
    return low < points.length ? low : 0;
  }

  #nextUntriedOwner(from: number, tried: readonly Endpoint[]): Endpoint | undefined {
    for (let step = 1; step < this.#owners.length; step += 1) {
      const endpoint = this.#endpoints[this.#owners[(from + step) % this.#owners.length] ?? 0];
      if (endpoint !== undefined && !tried.includes(endpoint)) return endpoint;
    }
    return undefined;
  }
}

/** 2^32 points times 2^20 owners fit into a double. */
const ownerLimit = 2 ** 20;

/**
 * More points even out the shares of few endpoints (512: within about 4 %) and cost memory with many. Points of a
 * smaller ring are among those of a larger one, so that crossing a step moves few keys.
 */
function pointsPerWeight(endpoints: number): number {
  if (endpoints <= 64) return 512;
  return endpoints <= 512 ? 128 : 16;
}
