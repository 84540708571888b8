import { systemRng, type Rng } from '@sd/core';
import { grownFloats } from '../columns.ts';
import { Draws } from '../draws.ts';
import type { Endpoint } from '../endpoint.ts';
import type { IncrementalStrategy, PickRequest } from '../strategy.ts';
import type { WeightClass } from './weight-classes.ts';
import { WeightedDraw } from './weighted-draw.ts';
import { WeightedMembers } from './weighted-members.ts';

/**
 * Each endpoint in proportion to its weight, spread evenly over time rather than in runs. Starts at random, and keeps
 * everybody's turn when the set changes.
 *
 * Between the classes of weights goes the smooth weighted round robin of nginx (commit 52327e0627f4, 2012); inside a
 * class a stride scheduler (Waldspurger, 1995) passes over an endpoint at most every other round. So a pick costs the
 * same for 10 and 10,000 endpoints and for any weights. Retries and hedges are drawn by weight, and take nobody's turn.
 */
export class WeightedRoundRobin extends WeightedMembers implements IncrementalStrategy {
  readonly #rng: Rng;
  readonly #draw: WeightedDraw;
  /** By slot: an endpoint is due when its credit reaches 1. It stays through suspensions. */
  #credits = new Float64Array(0);

  constructor({ rng = systemRng }: { readonly rng?: Rng | undefined } = {}) {
    super(rng);
    this.#rng = rng;
    this.#draw = new WeightedDraw(this.classes, new Draws(rng));
  }

  override add(endpoint: Endpoint, weight: number): void {
    const known = this.#credits.length;
    this.#credits = grownFloats(this.#credits, endpoint.slot + 1);
    // Anywhere between 0 and 1, so that endpoints of equal weight are not all due in one round.
    for (let slot = known; slot < this.#credits.length; slot += 1) this.#credits[slot] = this.#rng();
    super.add(endpoint, weight);
  }

  pick({ tried }: PickRequest): Endpoint | undefined {
    return tried.length === 0 ? this.#take() : this.#draw.untried(tried);
  }

  #take(): Endpoint | undefined {
    const { list, total } = this.classes;
    const [first] = list;
    if (first === undefined || list.length === 1) return first && this.#takeFrom(first);
    let due: WeightClass = first;
    for (const weightClass of list) {
      weightClass.behind += weightClass.sum;
      if (weightClass.behind > due.behind) due = weightClass;
    }
    due.behind -= total;
    return this.#takeFrom(due);
  }

  #takeFrom({ rotation, heaviest }: WeightClass): Endpoint | undefined {
    for (;;) {
      const endpoint = rotation.take();
      if (endpoint === undefined) return undefined;
      const credit = (this.#credits[endpoint.slot] ?? 0) + this.classes.weightOf(endpoint) / heaviest;
      this.#credits[endpoint.slot] = credit < 1 ? credit : credit - 1;
      if (credit >= 1) return endpoint;
    }
  }
}
