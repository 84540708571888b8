import type { Endpoint } from '../endpoint.ts';
import type { PickRequest, Strategy } from '../strategy.ts';

/**
 * The endpoint with the fewest attempts in flight for its weight; among equals, the one that waited longest.
 * Exact and O(1): endpoints are kept in lists by load level, as in an LFU cache (Shah, Mitra, Matani, 2010), and an
 * attempt that starts or ends moves its endpoint by one level at most.
 * Level = floor(inFlight / (weight / smallest weight)).
 *
 * It knows only what this consumer has in flight, and an endpoint that fails fast looks idle.
 */
export class LeastConnections implements Strategy {
  // Columns by slot.
  #members: (Endpoint | undefined)[] = [];
  #ratio = new Float64Array(0);
  #level = new Int32Array(0);
  #next = new Int32Array(0);
  #previous = new Int32Array(0);
  /** By level: the slot at the head of its circular list, or `none`. */
  #heads: number[] = [];
  #lowest = 0;

  update(endpoints: readonly Endpoint[]): void {
    const slots = endpoints.reduce((most, { slot }) => Math.max(most, slot + 1), 0);
    const lightest = endpoints.reduce((least, { instance }) => Math.min(least, instance.weight), Infinity);
    this.#members = new Array<Endpoint | undefined>(slots).fill(undefined);
    this.#ratio = new Float64Array(slots);
    this.#level = new Int32Array(slots);
    this.#next = new Int32Array(slots);
    this.#previous = new Int32Array(slots);
    this.#heads = [];
    this.#lowest = 0;
    for (const endpoint of endpoints) {
      this.#members[endpoint.slot] = endpoint;
      this.#ratio[endpoint.slot] = lightest > 0 ? endpoint.instance.weight / lightest : 1;
      this.#append(endpoint.slot, this.#levelOf(endpoint));
    }
  }

  pick({ tried }: PickRequest): Endpoint | undefined {
    const heads = this.#heads;
    while (this.#lowest < heads.length && heads[this.#lowest] === none) this.#lowest += 1;
    const head = heads[this.#lowest];
    const first = head === undefined ? undefined : this.#members[head];
    if (first === undefined || tried.length === 0 || !tried.includes(first)) return first;
    return this.#leastLoadedUntried(tried) ?? first;
  }

  started(endpoint: Endpoint): void {
    this.#move(endpoint);
  }

  finished(endpoint: Endpoint): void {
    this.#move(endpoint);
  }

  #leastLoadedUntried(tried: readonly Endpoint[]): Endpoint | undefined {
    for (let level = this.#lowest; level < this.#heads.length; level += 1) {
      const head = this.#heads[level] ?? none;
      if (head === none) continue;
      let slot = head;
      do {
        const endpoint = this.#members[slot];
        if (endpoint !== undefined && !tried.includes(endpoint)) return endpoint;
        slot = this.#next[slot] ?? head;
      } while (slot !== head);
    }
    return undefined;
  }

  /** Also when the level stays: the endpoint goes behind its equals, so that ties are spread. */
  #move(endpoint: Endpoint): void {
    const { slot } = endpoint;
    if (this.#members[slot] !== endpoint) return; // of another set of the pool
    const next = this.#next[slot] ?? slot;
    const previous = this.#previous[slot] ?? slot;
    const level = this.#level[slot] ?? 0;
    this.#next[previous] = next;
    this.#previous[next] = previous;
    if (this.#heads[level] === slot) this.#heads[level] = next === slot ? none : next;
    this.#append(slot, this.#levelOf(endpoint));
  }

  #append(slot: number, level: number): void {
    while (this.#heads.length <= level) this.#heads.push(none);
    const head = this.#heads[level] ?? none;
    this.#level[slot] = level;
    if (head === none) {
      this.#heads[level] = slot;
      this.#next[slot] = slot;
      this.#previous[slot] = slot;
    } else {
      const tail = this.#previous[head] ?? head;
      this.#next[tail] = slot;
      this.#previous[slot] = tail;
      this.#next[slot] = head;
      this.#previous[head] = slot;
    }
    if (level < this.#lowest) this.#lowest = level;
  }

  #levelOf({ slot, inFlight }: Endpoint): number {
    return Math.floor(inFlight / (this.#ratio[slot] ?? 1));
  }
}

const none = -1;
