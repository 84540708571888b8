import type { Rng } from '@sd/core';
import { grownInts } from '../columns.ts';
import type { Endpoint } from '../endpoint.ts';

/**
 * Endpoints in turn. One comes or goes in O(1), and nobody loses a turn or gets two by it: those before `next` have had
 * theirs in this round, and stay before it.
 */
export class Rotation {
  readonly #rng: Rng;
  readonly #members: Endpoint[] = [];
  /** By slot: place in `members`, plus 1. */
  #places = new Int32Array(0);
  #next = -1;

  /** @param rng says where the first round starts */
  constructor(rng: Rng) {
    this.#rng = rng;
  }

  get members(): readonly Endpoint[] {
    return this.#members;
  }

  get size(): number {
    return this.#members.length;
  }

  has({ slot }: Endpoint): boolean {
    return (this.#places[slot] ?? 0) > 0;
  }

  /** At the end of the round. */
  add(endpoint: Endpoint): void {
    if (this.has(endpoint)) return;
    this.#places = grownInts(this.#places, endpoint.slot + 1);
    this.#place(endpoint, this.#members.length);
  }

  remove(endpoint: Endpoint): void {
    if (!this.has(endpoint)) return;
    let hole = (this.#places[endpoint.slot] ?? 0) - 1;
    this.#places[endpoint.slot] = 0;
    if (hole < this.#next) {
      this.#next -= 1;
      this.#place(this.#members[this.#next], hole);
      hole = this.#next;
    }
    this.#place(this.#members.at(-1), hole);
    this.#places[endpoint.slot] = 0; // it may have been one of those that were moved
    this.#members.pop();
    if (this.#next >= this.#members.length) this.#next = this.#members.length > 0 ? 0 : -1;
  }

  /** Hot path. */
  take(): Endpoint | undefined {
    const members = this.#members;
    if (this.#next < 0) this.#next = Math.floor(this.#rng() * members.length);
    const endpoint = members[this.#next];
    this.#next = this.#next + 1 < members.length ? this.#next + 1 : 0;
    return endpoint;
  }

  #place(endpoint: Endpoint | undefined, place: number): void {
    if (endpoint === undefined) return;
    this.#members[place] = endpoint;
    this.#places[endpoint.slot] = place + 1;
  }
}
