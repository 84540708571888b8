import type { Draws } from '../draws.ts';
import type { Endpoint } from '../endpoint.ts';
import type { WeightClasses } from './weight-classes.ts';

/**
 * Draws endpoints in proportion to weights that may change at any time: a class by its sum, one of its members by equal
 * chances, and that one is taken in proportion to its weight, or another is drawn: less than once on average.
 *
 * Source: Matias, Vitter, Ni, "Dynamic generation of discrete random variates", 2003; without its recursion.
 */
export class WeightedDraw {
  readonly #classes: WeightClasses;
  readonly #draws: Draws;

  constructor(classes: WeightClasses, draws: Draws) {
    this.#classes = classes;
    this.#draws = draws;
  }

  /**
   * Hot path. Undefined when there is nobody.
   * One draw of 32 bits says it all: what is left of it when it has chosen a class chooses a member, and what is left of
   * that decides whether this one is taken.
   */
  any(): Endpoint | undefined {
    const { list } = this.#classes;
    let weightClass = list[0];
    if (weightClass === undefined) return undefined;
    let left = (this.#draws.next() >>> 0) / 2 ** 32;
    if (list.length > 1) {
      for (let index = 1; index < list.length && left >= weightClass.share; index += 1) {
        left -= weightClass.share;
        weightClass = list[index] ?? weightClass;
      }
      left *= weightClass.inverse;
    }
    const { members } = weightClass.rotation;
    let place = left * members.length;
    // By a rounding error it may be just beyond the last.
    let index = Math.min(place | 0, members.length - 1);
    let endpoint = members[index];
    const { heaviest, lightest } = weightClass;
    if (lightest === heaviest) return endpoint;
    // What is left of the draw decides whether it is taken, or another of the class is drawn.
    while (endpoint !== undefined && (place - index) * heaviest >= this.#classes.weightOf(endpoint)) {
      place = ((this.#draws.next() >>> 0) / 2 ** 32) * members.length;
      index = place | 0;
      endpoint = members[index];
    }
    return endpoint;
  }

  /** Hot path. One that was not tried, while there is one. */
  untried(tried: readonly Endpoint[]): Endpoint | undefined {
    const first = this.any();
    if (first === undefined || tried.length === 0 || !tried.includes(first)) return first;
    for (let draws = 0; draws < 16; draws += 1) {
      const endpoint = this.any();
      if (endpoint !== undefined && !tried.includes(endpoint)) return endpoint;
    }
    return lightAndUntried(this.#classes, tried) ?? first;
  }

  /**
   * Hot path. Another to compare `first` with; undefined when there is none, or when `first` was drawn twice and has more
   * than half of the weight: were the others compared with it each time, they would get far more than their share.
   */
  second(first: Endpoint, tried: readonly Endpoint[]): Endpoint | undefined {
    if (tried.length > 0) return this.unlike(first, tried);
    const other = this.any();
    if (other !== first) return other;
    const own = this.#classes.weightOf(first);
    const rest = this.#classes.total - own;
    return rest >= own || this.#draws.hits(rest / own) ? this.unlike(first, tried) : undefined;
  }

  /** Hot path. Another than `first` that was not tried; undefined when there is none. */
  unlike(first: Endpoint, tried: readonly Endpoint[]): Endpoint | undefined {
    for (let draws = 0; draws < 4; draws += 1) {
      const endpoint = this.any();
      if (endpoint !== first && endpoint !== undefined && (tried.length === 0 || !tried.includes(endpoint))) {
        return endpoint;
      }
    }
    return lightAndUntried(this.#classes, tried, first); // `first` has nearly all the weight
  }
}

/** For when those untried have so little weight that their turn does not come. */
function lightAndUntried(
  classes: WeightClasses,
  tried: readonly Endpoint[],
  except?: Endpoint,
): Endpoint | undefined {
  for (const { rotation } of classes.list) {
    for (let left = rotation.size; left > 0; left -= 1) {
      const endpoint = rotation.takeAside();
      if (endpoint !== except && endpoint !== undefined && !tried.includes(endpoint)) return endpoint;
    }
  }
  return undefined;
}
