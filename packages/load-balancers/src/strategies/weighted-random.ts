import { systemRng, type Rng } from '@sd/core';
import { Draws } from '../draws.ts';
import type { Endpoint } from '../endpoint.ts';
import type { IncrementalStrategy, PickRequest } from '../strategy.ts';
import { WeightedDraw } from './weighted-draw.ts';
import { WeightedMembers } from './weighted-members.ts';

/** Any endpoint, by chance, in proportion to its weight. */
export class WeightedRandom extends WeightedMembers implements IncrementalStrategy {
  readonly #draw: WeightedDraw;

  constructor({ rng = systemRng }: { readonly rng?: Rng | undefined } = {}) {
    super(rng);
    this.#draw = new WeightedDraw(this.classes, new Draws(rng));
  }

  pick({ tried }: PickRequest): Endpoint | undefined {
    return this.#draw.untried(tried);
  }
}
