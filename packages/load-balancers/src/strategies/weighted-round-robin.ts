import { systemRng, type Rng } from '@sd/core';
import { weightOf, type Endpoint } from '../endpoint.ts';
import type { PickRequest, Strategy } from '../strategy.ts';
import { resumeAt, RoundRobin } from './round-robin.ts';

/**
 * Each endpoint in proportion to its weight, spread evenly over time rather than in runs. Starts at random, and keeps
 * everybody's turn when the set changes.
 *
 * Endpoints whose weights share a power of two form a class. Between the classes (rarely more than five, at most 28)
 * goes the smooth weighted round robin of nginx (commit 52327e0627f4, 2012); inside a class, where weights differ by
 * less than a factor of two, a stride scheduler (Waldspurger, 1995) passes over an endpoint at most every other round.
 * So a pick costs the same for 10 and 10,000 endpoints and for any weights, without an expanded list.
 */
export class WeightedRoundRobin implements Strategy {
  readonly #rng: Rng;
  readonly #others: RoundRobin;
  #classes: readonly WeightClass[] = [];
  #totalWeight = 0;
  /** By slot, so that they outlast the classes: an endpoint is due when its credit reaches 1. */
  #credits = new Float64Array(0);

  constructor({ rng = systemRng }: { readonly rng?: Rng | undefined } = {}) {
    this.#rng = rng;
    this.#others = new RoundRobin({ rng });
  }

  update(endpoints: readonly Endpoint[]): void {
    this.#growCredits(endpoints.reduce((most, { slot }) => Math.max(most, slot + 1), 0));
    const members = new Map<number, Endpoint[]>();
    for (const endpoint of endpoints) {
      const exponent = Math.max(-14, Math.floor(Math.log2(weightOf(endpoint))));
      const list = members.get(exponent);
      if (list === undefined) members.set(exponent, [endpoint]);
      else list.push(endpoint);
    }
    const before = new Map(this.#classes.map((weightClass) => [weightClass.exponent, weightClass]));
    const classes = [...members]
      .sort(([left], [right]) => right - left)
      .map(
        ([exponent, list]) => new WeightClass(exponent, list, this.#credits, before.get(exponent), this.#rng),
      );
    const totalWeight = classes.reduce((sum, { weight }) => sum + weight, 0);
    // To scale: what the others were ahead of a heavy class that left, they would take years to work off.
    for (const weightClass of classes)
      weightClass.current *= totalWeight / (this.#totalWeight || totalWeight);
    this.#classes = classes;
    this.#totalWeight = totalWeight;
    this.#others.update(endpoints);
  }

  pick(request: PickRequest): Endpoint | undefined {
    const { tried } = request;
    const first = this.#take();
    if (first === undefined || tried.length === 0 || !tried.includes(first)) return first;
    for (let turns = 0; turns < 16; turns += 1) {
      const endpoint = this.#take();
      if (endpoint !== undefined && !tried.includes(endpoint)) return endpoint;
    }
    return this.#others.pick(request); // those untried have so little weight that their turn did not come
  }

  #take(): Endpoint | undefined {
    const classes = this.#classes;
    const [first] = classes;
    if (first === undefined || classes.length === 1) return first?.take();
    let due = first;
    for (const weightClass of classes) {
      weightClass.current += weightClass.weight;
      if (weightClass.current > due.current) due = weightClass;
    }
    due.current -= this.#totalWeight;
    return due.take();
  }

  /** They begin anywhere between 0 and 1, so that endpoints of equal weight are not all due in one round. */
  #growCredits(slots: number): void {
    if (slots <= this.#credits.length) return;
    this.#credits = new Float64Array(slots * 2).map(() => this.#rng());
  }
}

class WeightClass {
  readonly exponent: number;
  /** The sum over its endpoints. */
  readonly weight: number;
  /** How far it is behind its share: what nginx calls `current_weight`. */
  current: number;
  readonly #endpoints: readonly Endpoint[];
  readonly #slots: Int32Array;
  /** Weights relative to the heaviest: what a round adds to a credit. */
  readonly #shares: Float64Array;
  readonly #credits: Float64Array;
  #next: number;

  constructor(
    exponent: number,
    endpoints: readonly Endpoint[],
    credits: Float64Array,
    before: WeightClass | undefined,
    rng: Rng,
  ) {
    const heaviest = endpoints.reduce((most, endpoint) => Math.max(most, weightOf(endpoint)), 0);
    this.exponent = exponent;
    this.weight = endpoints.reduce((sum, endpoint) => sum + weightOf(endpoint), 0);
    this.current = before?.current ?? 0;
    this.#endpoints = endpoints;
    this.#slots = new Int32Array(endpoints.map(({ slot }) => slot));
    this.#shares = new Float64Array(endpoints.map((endpoint) => weightOf(endpoint) / heaviest));
    this.#credits = credits;
    this.#next =
      before === undefined
        ? resumeAt(endpoints, [], 0, rng)
        : resumeAt(endpoints, before.#endpoints, before.#next, rng);
  }

  take(): Endpoint | undefined {
    for (;;) {
      const index = this.#next;
      this.#next = index + 1 < this.#shares.length ? index + 1 : 0;
      const slot = this.#slots[index] ?? 0;
      const credit = (this.#credits[slot] ?? 0) + (this.#shares[index] ?? 1);
      this.#credits[slot] = credit < 1 ? credit : credit - 1;
      if (credit >= 1) return this.#endpoints[index];
    }
  }
}
