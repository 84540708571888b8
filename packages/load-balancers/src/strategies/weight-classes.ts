import type { Rng } from '@sd/core';
import { grownFloats } from '../columns.ts';
import type { Endpoint } from '../endpoint.ts';
import { Rotation } from './rotation.ts';

/** Endpoints whose weights are within a factor of two of each other. */
export class WeightClass {
  readonly rotation: Rotation;
  /** Of the weights of its members. */
  sum = 0;
  /** Its part of the weights of all classes, and 1 divided by it. */
  share = 1;
  inverse = 1;
  /** At least the weight of each member, and at most twice that of the lightest. */
  heaviest = 0;
  /** At most the weight of each member. */
  lightest = Infinity;
  /** For smooth round robin between classes: how far this one is behind its share. */
  behind = 0;

  constructor(rng: Rng) {
    this.rotation = new Rotation(rng);
  }
}

/**
 * Endpoints by the power of two of their weight: a few classes (rarely more than five, at most 72) in which weights
 * hardly differ. To choose by weight, choose between the classes and then between near equals. A weight that changes, an
 * endpoint that comes or goes: each costs O(1), where an alias table or an expanded list would have to be built anew.
 */
export class WeightClasses {
  readonly #rng: Rng;
  readonly #byExponent: (WeightClass | undefined)[] = [];
  #list: readonly WeightClass[] = [];
  #total = 0;
  // By slot.
  #weights = new Float64Array(0);
  readonly #classAt: (WeightClass | undefined)[] = [];

  constructor(rng: Rng) {
    this.#rng = rng;
  }

  /** Those with members, the heaviest first. */
  get list(): readonly WeightClass[] {
    return this.#list;
  }

  get total(): number {
    return this.#total;
  }

  has({ slot }: Endpoint): boolean {
    return this.#classAt[slot] !== undefined;
  }

  weightOf({ slot }: Endpoint): number {
    return this.#weights[slot] ?? 0;
  }

  /** Also when it is there already: this is its weight now. */
  set(endpoint: Endpoint, weight: number): void {
    const { slot } = endpoint;
    const exponent = Math.min(71, Math.max(0, Math.ceil(Math.log2(weight)) + 40));
    const weightClass = (this.#byExponent[exponent] ??= new WeightClass(this.#rng));
    const added = this.#classAt[slot] === weightClass ? weight - this.weightOf(endpoint) : weight;
    if (this.#classAt[slot] !== weightClass) this.remove(endpoint);
    this.#weights = grownFloats(this.#weights, slot + 1);
    this.#weights[slot] = weight;
    this.#classAt[slot] = weightClass;
    weightClass.rotation.add(endpoint);
    weightClass.heaviest = Math.max(weightClass.heaviest, weight);
    weightClass.lightest = Math.min(weightClass.lightest, weight);
    weightClass.sum += added;
    if (weightClass.rotation.size === 1) this.#relist();
    this.#scale();
  }

  remove(endpoint: Endpoint): void {
    const weightClass = this.#classAt[endpoint.slot];
    if (weightClass === undefined) return;
    this.#classAt[endpoint.slot] = undefined;
    weightClass.rotation.remove(endpoint);
    weightClass.sum -= this.weightOf(endpoint);
    if (weightClass.rotation.size === 0) {
      weightClass.sum = 0; // exactly, whatever was added and taken away
      weightClass.heaviest = 0;
      weightClass.lightest = Infinity;
      weightClass.behind = 0;
      this.#relist();
    }
    this.#scale();
  }

  #relist(): void {
    this.#list = this.#byExponent
      .filter((each) => each !== undefined)
      .filter(({ rotation }) => rotation.size > 0)
      .reverse();
  }

  /** What the light ones were behind a heavy one that left, they would take long to catch up on. */
  #scale(): void {
    let total = 0; // anew, as a difference of sums would lose the light ones when a heavy one leaves
    for (const { sum } of this.#list) total += sum;
    for (const weightClass of this.#list) {
      if (this.#total > 0) weightClass.behind *= total / this.#total;
      weightClass.share = weightClass.sum / total;
      weightClass.inverse = total / weightClass.sum;
    }
    this.#total = total;
  }
}
