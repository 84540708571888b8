import type { Endpoint } from '../endpoint.ts';
import type { PickRequest, Strategy } from '../strategy.ts';

/**
 * Each endpoint in proportion to its weight, spread evenly over time rather than in runs.
 *
 * Endpoints whose weights share a power of two form a class. Between the classes (rarely more than five, at most 28)
 * goes the smooth weighted round robin of nginx (commit 52327e0627f4, 2012); inside a class, where weights differ by
 * less than a factor of two, a stride scheduler (Waldspurger, 1995) passes over an endpoint at most every other round.
 * So a pick costs the same for 10 and 10,000 endpoints and for any weights, without an expanded list.
 */
export class WeightedRoundRobin implements Strategy {
  #classes: readonly WeightClass[] = [];
  #totalWeight = 0;
  #size = 0;

  update(endpoints: readonly Endpoint[]): void {
    const members = new Map<number, Endpoint[]>();
    for (const endpoint of endpoints) {
      const exponent = Math.max(-14, Math.floor(Math.log2(weightOf(endpoint))));
      const list = members.get(exponent);
      if (list === undefined) members.set(exponent, [endpoint]);
      else list.push(endpoint);
    }
    const before = new Map(this.#classes.map((weightClass) => [weightClass.exponent, weightClass]));
    this.#classes = [...members]
      .sort(([left], [right]) => right - left)
      .map(([exponent, list]) => new WeightClass(exponent, list, before.get(exponent)));
    this.#totalWeight = this.#classes.reduce((sum, { weight }) => sum + weight, 0);
    this.#size = endpoints.length;
  }

  pick({ tried }: PickRequest): Endpoint | undefined {
    const first = this.#pickAny();
    if (first === undefined || tried.length === 0 || !tried.includes(first)) return first;
    for (let attempt = 0; attempt < 2 * this.#size; attempt += 1) {
      const endpoint = this.#pickAny();
      if (endpoint !== undefined && !tried.includes(endpoint)) return endpoint;
    }
    // Those left untried have so little weight that their turn did not come.
    for (const weightClass of this.#classes) {
      const endpoint = weightClass.endpoints.find((candidate) => !tried.includes(candidate));
      if (endpoint !== undefined) return endpoint;
    }
    return first;
  }

  #pickAny(): Endpoint | undefined {
    const classes = this.#classes;
    let best = classes[0];
    if (best === undefined) return undefined;
    if (classes.length > 1) {
      for (let index = 0; index < classes.length; index += 1) {
        const weightClass = classes[index];
        if (weightClass === undefined) continue;
        weightClass.current += weightClass.weight;
        if (weightClass.current > best.current) best = weightClass;
      }
      best.current -= this.#totalWeight;
    }
    return best.pick();
  }
}

class WeightClass {
  readonly exponent: number;
  readonly endpoints: readonly Endpoint[];
  readonly weight: number;
  current: number;
  /** An endpoint is due when its credit reaches 1; each round adds its weight relative to the heaviest. */
  readonly #credits: Float64Array;
  readonly #shares: Float64Array;
  #next: number;

  constructor(exponent: number, endpoints: readonly Endpoint[], before: WeightClass | undefined) {
    this.exponent = exponent;
    this.endpoints = endpoints;
    this.weight = endpoints.reduce((sum, endpoint) => sum + weightOf(endpoint), 0);
    this.current = before?.current ?? 0;
    const heaviest = endpoints.reduce((most, endpoint) => Math.max(most, weightOf(endpoint)), 0);
    this.#shares = Float64Array.from(endpoints, (endpoint) => weightOf(endpoint) / heaviest);
    // Golden-ratio offsets, so that endpoints of equal weight are not all due in the same round.
    this.#credits = Float64Array.from(endpoints, (_endpoint, index) => (index * 0.618_033_988_75) % 1);
    this.#next = before === undefined ? 0 : before.#next % endpoints.length;
  }

  pick(): Endpoint | undefined {
    const { endpoints } = this;
    for (;;) {
      const index = this.#next;
      this.#next = index + 1 < endpoints.length ? index + 1 : 0;
      const credit = (this.#credits[index] ?? 0) + (this.#shares[index] ?? 1);
      if (credit >= 1) {
        this.#credits[index] = credit - 1;
        return endpoints[index];
      }
      this.#credits[index] = credit;
    }
  }
}

/** Where all weights are 0, all are equal. */
function weightOf({ instance }: Endpoint): number {
  return instance.weight > 0 ? instance.weight : 1;
}
