import { systemRng, type Rng } from '@sd/core';
import { grownFloats, grownInts } from '../columns.ts';
import type { Endpoint } from '../endpoint.ts';
import type { IncrementalStrategy, PickRequest } from '../strategy.ts';

/**
 * The endpoint with the fewest attempts in flight for its weight; among equals, one after the other and in proportion
 * to their weights. Starts at random, and keeps everybody's turn when the set changes.
 *
 * Exact and O(1): endpoints are kept in lists by load level, as in an LFU cache (Shah, Mitra, Matani, 2010), and an
 * attempt that starts or ends moves its endpoint to another list.
 * Level = floor(inFlight * (heaviest weight / weight)), so a light endpoint among heavy ones does not blur their levels.
 *
 * It knows only what this consumer has in flight, and an endpoint that fails fast looks idle.
 */
export class LeastConnections implements IncrementalStrategy {
  readonly #rng: Rng;
  // Columns by slot.
  /** Those in a list, so neither strangers nor suspended ones. */
  readonly #members: (Endpoint | undefined)[] = [];
  #weights = new Float64Array(0);
  /** Of several at the same level, one is due when its credit reaches 1; a visit adds its share of the heaviest. */
  #credit = new Float64Array(0);
  #level = new Int32Array(0);
  #next = new Int32Array(0);
  #previous = new Int32Array(0);
  /** By level: the slot at the head of its circular list, or `none`. */
  #heads: number[] = [];
  #lowest = 0;
  /** The heaviest of all members', suspended ones included. */
  #heaviest = 0;
  #levelsAreStale = false;
  #begun = false;

  constructor({ rng = systemRng }: { readonly rng?: Rng | undefined } = {}) {
    this.#rng = rng;
  }

  add(endpoint: Endpoint, weight: number): void {
    const { slot } = endpoint;
    this.#weights = grownFloats(this.#weights, slot + 1);
    this.#credit = grownFloats(this.#credit, slot + 1);
    this.#level = grownInts(this.#level, slot + 1);
    this.#next = grownInts(this.#next, slot + 1);
    this.#previous = grownInts(this.#previous, slot + 1);
    this.#credit[slot] = 0;
    this.#weigh(slot, weight);
    this.resume(endpoint);
  }

  remove(endpoint: Endpoint): void {
    this.suspend(endpoint);
    if (this.#weights[endpoint.slot] === this.#heaviest) this.#levelsAreStale = true;
    this.#weights[endpoint.slot] = 0;
  }

  reweigh(endpoint: Endpoint, weight: number): void {
    const { slot } = endpoint;
    if (weight < (this.#weights[slot] ?? 0) && this.#weights[slot] === this.#heaviest)
      this.#levelsAreStale = true;
    this.#weigh(slot, weight);
    if (this.#members[slot] === endpoint) this.#move(endpoint);
  }

  suspend(endpoint: Endpoint): void {
    if (this.#members[endpoint.slot] !== endpoint) return;
    this.#members[endpoint.slot] = undefined;
    this.#unlink(endpoint.slot);
  }

  resume(endpoint: Endpoint): void {
    if (this.#members[endpoint.slot] === endpoint) return;
    this.#members[endpoint.slot] = endpoint;
    this.#append(endpoint.slot, this.#levelOf(endpoint));
  }

  settle(): void {
    const begins = !this.#begun;
    if (!begins && !this.#levelsAreStale) return;
    const members = this.#inTurn();
    this.#levelsAreStale = false;
    this.#heads = [];
    this.#lowest = 0;
    this.#heaviest = this.#weights.reduce((most, weight) => Math.max(most, weight), 0);
    const start = begins ? Math.floor(this.#rng() * members.length) : 0;
    this.#begun = members.length > 0;
    for (let index = 0; index < members.length; index += 1) {
      const endpoint = members[(start + index) % members.length];
      if (endpoint !== undefined) this.#append(endpoint.slot, this.#levelOf(endpoint));
    }
  }

  pick({ tried }: PickRequest): Endpoint | undefined {
    const heads = this.#heads;
    while (this.#lowest < heads.length && heads[this.#lowest] === none) this.#lowest += 1;
    const head = heads[this.#lowest];
    if (head === undefined) return undefined;
    const first = this.#members[this.#due(head)];
    if (first === undefined || tried.length === 0 || !tried.includes(first)) return first;
    for (let slot = this.#after(first.slot); slot !== none; slot = this.#after(slot)) {
      const endpoint = this.#members[slot];
      if (endpoint !== undefined && !tried.includes(endpoint)) return endpoint;
    }
    return first;
  }

  started(endpoint: Endpoint): void {
    this.#move(endpoint);
  }

  finished(endpoint: Endpoint): void {
    this.#move(endpoint);
  }

  #weigh(slot: number, weight: number): void {
    this.#weights[slot] = weight;
    if (weight <= this.#heaviest) return;
    this.#heaviest = weight;
    this.#levelsAreStale = true;
  }

  /** Turns the lowest level's list until the endpoint at its head is due. */
  #due(head: number): number {
    let slot = head;
    let first = head;
    let most = -Infinity;
    let given = 0;
    for (let passedOver = 0; passedOver < mostPassedOver; passedOver += 1) {
      const share = this.#bearing(slot) / this.#heaviest;
      const credit = (this.#credit[slot] ?? 0) + share;
      given += share;
      this.#credit[slot] = credit;
      if (credit > most) {
        most = credit;
        first = slot;
      }
      if (credit >= 1) {
        given = 1;
        break;
      }
      slot = this.#next[slot] ?? head;
    }
    // If nobody is due, the one that is nearest to it, at the price of what was given.
    this.#credit[first] = most - given;
    this.#heads[this.#lowest] = first;
    return first;
  }

  #inTurn(): Endpoint[] {
    const endpoints: Endpoint[] = [];
    const head = this.#heads.find((slot) => slot !== none) ?? none;
    for (let slot = head; slot !== none; slot = this.#after(slot)) {
      const endpoint = this.#members[slot];
      if (endpoint !== undefined) endpoints.push(endpoint);
    }
    return endpoints;
  }

  /** The slot after this one in order of load and turn, or `none`. */
  #after(slot: number): number {
    const next = this.#next[slot] ?? none;
    let level = this.#level[slot] ?? 0;
    if (next !== this.#heads[level]) return next;
    do level += 1;
    while (this.#heads[level] === none);
    return this.#heads[level] ?? none;
  }

  /** Also when the level stays: the endpoint goes behind its equals, so that ties are spread. */
  #move(endpoint: Endpoint): void {
    if (this.#members[endpoint.slot] !== endpoint) return; // of another set of the pool, or suspended
    this.#unlink(endpoint.slot);
    this.#append(endpoint.slot, this.#levelOf(endpoint));
  }

  #unlink(slot: number): void {
    const next = this.#next[slot] ?? slot;
    const previous = this.#previous[slot] ?? slot;
    const level = this.#level[slot] ?? 0;
    this.#next[previous] = next;
    this.#previous[next] = previous;
    if (this.#heads[level] === slot) this.#heads[level] = next === slot ? none : next;
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
    if (inFlight === 0) return 0;
    return Math.min(topLevel, Math.floor(inFlight * (this.#heaviest / this.#bearing(slot))));
  }

  /** The weight that an endpoint bears now. */
  #bearing(slot: number): number {
    return (this.#weights[slot] ?? 1) * (this.#members[slot]?.warmth ?? 1);
  }
}

const none = -1;

/** Bounds the memory for levels; only endpoints 65,535 times lighter than the heaviest cannot be told apart there. */
const topLevel = 65_535;

/** Bounds the time of a pick, at the price of the proportion between equals where most weigh less than 1/32. */
const mostPassedOver = 32;
