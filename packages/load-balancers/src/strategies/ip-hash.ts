import { systemRng, type Rng } from '@sd/core';
import { weightOf, type Endpoint } from '../endpoint.ts';
import { hashText } from '../hash.ts';
import type { PickRequest, Strategy } from '../strategy.ts';
import { HashRing } from './hash-ring.ts';
import { Random } from './random.ts';

/**
 * The same key goes to the same endpoint while that is there, and a change of members moves only the keys it must:
 * a consistent-hash ring (Karger et al., 1997). The key, usually the client's address, comes with each call; a call
 * without one goes to any endpoint. An endpoint owns keys in proportion to its weight; all consumers with the same
 * members agree on the owners.
 */
export class IpHash implements Strategy {
  readonly #any: Random;
  #endpoints: readonly Endpoint[] = [];
  #weights: readonly number[] = [];
  #ring = new HashRing([], []);

  constructor({ rng = systemRng }: { readonly rng?: Rng | undefined } = {}) {
    this.#any = new Random({ rng });
  }

  update(endpoints: readonly Endpoint[]): void {
    const [before, weightsBefore] = [this.#endpoints, this.#weights];
    const weights = endpoints.map(weightOf);
    this.#endpoints = endpoints;
    this.#weights = weights;
    this.#any.update(endpoints);
    const sameRing =
      endpoints.length === before.length &&
      endpoints.every(({ id }, index) => id === before[index]?.id && weights[index] === weightsBefore[index]);
    if (!sameRing) {
      this.#ring = new HashRing(
        endpoints.map(({ id }) => id),
        weights,
      );
    }
  }

  pick(request: PickRequest): Endpoint | undefined {
    const { key, tried } = request;
    if (key === undefined) return this.#any.pick(request);
    const ring = this.#ring;
    const at = ring.find(hashText(key));
    const owner = this.#endpoints[ring.ownerAt(at)];
    if (owner === undefined || tried.length === 0 || !tried.includes(owner)) return owner;
    for (let step = 1; step < ring.size; step += 1) {
      const heir = this.#endpoints[ring.ownerAt((at + step) % ring.size)];
      if (heir !== undefined && !tried.includes(heir)) return heir;
    }
    return owner;
  }
}
