import { systemRng, type Rng } from '@sd/core';
import { weightOf, type Endpoint } from '../endpoint.ts';
import { hashText, mix } from '../hash.ts';
import type { PickRequest, Strategy } from '../strategy.ts';
import { Random } from './random.ts';

/**
 * The same key goes to the same endpoint while that is there, and a change of members moves only the keys it must:
 * a consistent-hash ring (Karger et al., 1997). The key, usually the client's address, comes with each call; a call
 * without one goes to any endpoint. An endpoint owns points in proportion to its weight; all consumers with the same
 * members have the same ring. A pick is a binary search: O(log n), the price of a ring.
 */
export class IpHash implements Strategy {
  readonly #any: Random;
  #endpoints: readonly Endpoint[] = [];
  #weights: readonly number[] = [];
  /** Sorted; the point at an index belongs to the endpoint at the same index of `#owners`. */
  #points = new Uint32Array(0);
  #owners = new Uint32Array(0);

  constructor({ rng = systemRng }: { readonly rng?: Rng | undefined } = {}) {
    this.#any = new Random({ rng });
  }

  update(endpoints: readonly Endpoint[]): void {
    const weights = endpoints.map(weightOf);
    const before = this.#endpoints;
    const sameRing =
      endpoints.length === before.length &&
      endpoints.every(({ id }, index) => id === before[index]?.id && weights[index] === this.#weights[index]);
    this.#endpoints = endpoints;
    this.#weights = weights;
    this.#any.update(endpoints);
    if (!sameRing) this.#build();
  }

  pick(request: PickRequest): Endpoint | undefined {
    const { key, tried } = request;
    if (key === undefined) return this.#any.pick(request);
    const at = this.#firstPointFrom(hashText(key));
    const owner = this.#endpoints[this.#owners[at] ?? 0];
    if (owner === undefined || tried.length === 0 || !tried.includes(owner)) return owner;
    return this.#nextUntriedOwner(at, tried) ?? owner;
  }

  #build(): void {
    const perWeight = pointsPerWeight(this.#weights);
    const counts = this.#endpoints.map(({ id }, index) => {
      // A part of a point is had by that part of the endpoints: shares stay true, and change one by one.
      const points = (this.#weights[index] ?? 1) * perWeight + hashText(`${id} part`) / 2 ** 32;
      return Math.max(1, Math.floor(points));
    });
    // Hash and owner in one double, so that the typed array's native sort orders both.
    const ring = new Float64Array(counts.reduce((sum, count) => sum + count, 0));
    let filled = 0;
    this.#endpoints.forEach(({ id }, owner) => {
      // Start and stride, so that ids would have to collide in 64 bits to share their points.
      const start = hashText(id);
      const stride = hashText(`${id} stride`) | 1;
      for (let point = 0; point < (counts[owner] ?? 0); point += 1) {
        ring[filled] = mix(start + Math.imul(point, stride)) * ownerLimit + owner;
        filled += 1;
      }
    });
    ring.sort();
    this.#points = Uint32Array.from(ring, (entry) => Math.floor(entry / ownerLimit));
    this.#owners = Uint32Array.from(ring, (entry) => entry % ownerLimit);
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
 * 512 points for an endpoint of mean weight: shares within about 4 % of what they should be. The mean is rounded to a
 * power of two, so that it stays when members change; where it does not, the smaller ring is part of the larger.
 * Beyond 512 endpoints the ring stays at its size, and one that joins or leaves moves about one key in n of the others.
 */
function pointsPerWeight(weights: readonly number[]): number {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  const mean = 2 ** Math.round(Math.log2(total / weights.length));
  return Math.min(512 / mean, 2 ** 18 / total);
}
