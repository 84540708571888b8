import { systemRng, type Rng } from '@sd/core';
import { Draws } from '../draws.ts';
import type { Endpoint } from '../endpoint.ts';
import type { IncrementalStrategy, PickRequest } from '../strategy.ts';
import { WeightedDraw } from './weighted-draw.ts';
import { WeightedMembers } from './weighted-members.ts';

/**
 * Of two endpoints drawn by weight, the one with fewer attempts in flight for its weight; the first when they are equal.
 * Nearly as even as asking all, and consumers that know nothing of each other do not all run to the same one.
 *
 * Source: Mitzenmacher, "The Power of Two Choices in Randomized Load Balancing", 2001; the weighted form as in Envoy's
 * least request, but drawn by weight, which keeps shares true also while few attempts are in flight.
 */
export class LeastRequest extends WeightedMembers implements IncrementalStrategy {
  readonly #draw: WeightedDraw;

  constructor({ rng = systemRng }: { readonly rng?: Rng | undefined } = {}) {
    super(rng);
    this.#draw = new WeightedDraw(this.classes, new Draws(rng));
  }

  pick({ tried }: PickRequest): Endpoint | undefined {
    const draw = this.#draw;
    const first = tried.length === 0 ? draw.any() : draw.untried(tried);
    if (first === undefined) return undefined;
    const second = draw.second(first, tried);
    if (second === undefined) return first;
    // In flight by weight, without a division.
    const load = first.inFlight * this.classes.weightOf(second);
    return second.inFlight * this.classes.weightOf(first) < load ? second : first;
  }
}
