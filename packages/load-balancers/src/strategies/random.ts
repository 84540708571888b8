import { systemRng, type Rng } from '@sd/core';
import { Draws } from '../draws.ts';
import type { Endpoint } from '../endpoint.ts';
import { firstUntried, type IncrementalStrategy, type PickRequest } from '../strategy.ts';
import { EqualMembers } from './equal-members.ts';

/** Any endpoint, each as likely as the others, whatever their weights; one that is warming up is less likely. */
export class Random extends EqualMembers implements IncrementalStrategy {
  readonly #draws: Draws;

  constructor({ rng = systemRng }: { readonly rng?: Rng | undefined } = {}) {
    super(rng);
    this.#draws = new Draws(rng);
  }

  pick({ tried }: PickRequest): Endpoint | undefined {
    const { members } = this.rotation;
    // Drawn again, rather than passed on to its neighbour, which would get the share of both.
    for (let draws = 0; draws < 16; draws += 1) {
      const endpoint = members[this.#draws.below(members.length)];
      if (endpoint === undefined) return undefined;
      if (endpoint.warmth < 1 && !this.#draws.hits(endpoint.warmth)) continue;
      if (tried.length === 0 || !tried.includes(endpoint)) return endpoint;
    }
    return firstUntried(members, this.#draws.below(members.length), tried);
  }
}
