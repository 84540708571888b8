import { systemRng, type Rng } from '@sd/core';
import { weightOf, type Endpoint } from '../endpoint.ts';
import type { PickRequest, Strategy } from '../strategy.ts';

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
export class LeastConnections implements Strategy {
  readonly #rng: Rng;
  // Columns by slot.
  #members: (Endpoint | undefined)[] = [];
  /** Weight relative to the heaviest, and the level that one attempt adds: its inverse. */
  #share = new Float64Array(0);
  #cost = new Float64Array(0);
  /** Of several at the same level, one is due when its credit reaches 1; a visit adds its share. */
  #credit = new Float64Array(0);
  #level = new Int32Array(0);
  #next = new Int32Array(0);
  #previous = new Int32Array(0);
  /** By level: the slot at the head of its circular list, or `none`. */
  #heads: number[] = [];
  #lowest = 0;

  constructor({ rng = systemRng }: { readonly rng?: Rng | undefined } = {}) {
    this.#rng = rng;
  }

  update(endpoints: readonly Endpoint[]): void {
    const newcomers = new Set(endpoints);
    const staying = this.#inTurn().filter((endpoint) => newcomers.delete(endpoint));
    const slots = endpoints.reduce((most, { slot }) => Math.max(most, slot + 1), 0);
    const credit = new Float64Array(slots);
    for (const { slot } of staying) credit[slot] = this.#credit[slot] ?? 0;
    this.#members = new Array<Endpoint | undefined>(slots).fill(undefined);
    this.#share = new Float64Array(slots);
    this.#cost = new Float64Array(slots);
    this.#credit = credit;
    this.#level = new Int32Array(slots);
    this.#next = new Int32Array(slots);
    this.#previous = new Int32Array(slots);
    this.#heads = [];
    this.#lowest = 0;
    const heaviest = endpoints.reduce((most, endpoint) => Math.max(most, weightOf(endpoint)), 0);
    for (const endpoint of [...staying, ...fromAnywhere([...newcomers], this.#rng)]) {
      this.#members[endpoint.slot] = endpoint;
      this.#share[endpoint.slot] = weightOf(endpoint) / heaviest;
      this.#cost[endpoint.slot] = heaviest / weightOf(endpoint);
      this.#append(endpoint.slot, this.#levelOf(endpoint));
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

  /** Turns the lowest level's list until the endpoint at its head is due. */
  #due(head: number): number {
    let slot = head;
    for (let passedOver = 0; passedOver < mostPassedOver; passedOver += 1) {
      const credit = (this.#credit[slot] ?? 0) + (this.#share[slot] ?? 1);
      this.#credit[slot] = credit < 1 ? credit : credit - 1;
      if (credit >= 1) break;
      slot = this.#next[slot] ?? head;
    }
    this.#heads[this.#lowest] = slot;
    return slot;
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
    return Math.min(topLevel, Math.floor(inFlight * (this.#cost[slot] ?? 1)));
  }
}

const none = -1;

/** Bounds the memory for levels; only endpoints 65,535 times lighter than the heaviest cannot be told apart there. */
const topLevel = 65_535;

/** Bounds the time of a pick, at the price of the proportion between equals where most weigh less than 1/32. */
const mostPassedOver = 32;

function fromAnywhere(endpoints: readonly Endpoint[], rng: Rng): readonly Endpoint[] {
  const start = Math.floor(rng() * endpoints.length);
  return [...endpoints.slice(start), ...endpoints.slice(0, start)];
}
