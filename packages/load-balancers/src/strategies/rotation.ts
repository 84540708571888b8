import type { Rng } from '@sd/core';
import { grownInts } from '../columns.ts';
import type { Endpoint } from '../endpoint.ts';

/**
 * Endpoints in turn. One comes or goes in O(1), and nobody loses a turn or gets two by it: those before `next` have had
 * theirs in this round, and stay before it, and so do those that leave and come back in the same round.
 */
export class Rotation {
  readonly #rng: Rng;
  readonly #members: Endpoint[] = [];
  /** By slot: place in `members`, plus 1. */
  #places = new Int32Array(0);
  /** By slot: who left last, and in which round they had had their turn. */
  readonly #leavers: (Endpoint | undefined)[] = [];
  #hadTurn = new Int32Array(0);
  #round = 1;
  #next = -1;
  #aside = -1;

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

  /** At the end of the round, unless it has had its turn. */
  add(endpoint: Endpoint): void {
    if (this.has(endpoint)) return;
    const { slot } = endpoint;
    this.#places = grownInts(this.#places, slot + 1);
    this.#hadTurn = grownInts(this.#hadTurn, slot + 1);
    const isBack = this.#leavers[slot] === endpoint && this.#hadTurn[slot] === this.#round;
    if (!isBack || this.#next < 0) {
      this.#place(endpoint, this.#members.length);
      return;
    }
    this.#place(this.#members[this.#next], this.#members.length);
    this.#place(endpoint, this.#next);
    this.#next += 1;
  }

  remove(endpoint: Endpoint): void {
    if (!this.has(endpoint)) return;
    const { slot } = endpoint;
    let hole = (this.#places[slot] ?? 0) - 1;
    this.#leavers[slot] = endpoint;
    this.#hadTurn[slot] = hole < this.#next ? this.#round : 0;
    if (hole < this.#next) {
      this.#next -= 1;
      this.#place(this.#members[this.#next], hole);
      hole = this.#next;
    }
    this.#place(this.#members.at(-1), hole);
    this.#places[slot] = 0; // it may have been one of those that were moved
    this.#members.pop();
    if (this.#next >= this.#members.length) this.#startRound();
  }

  /** Hot path. */
  take(): Endpoint | undefined {
    const members = this.#members;
    if (this.#next < 0) {
      if (members.length === 0) return undefined;
      this.#next = Math.floor(this.#rng() * members.length);
    }
    const endpoint = members[this.#next];
    this.#next += 1;
    if (this.#next >= members.length) this.#startRound();
    return endpoint;
  }

  /**
   * One for a request that asks another endpoint besides: it takes nobody's turn. If it did, and of two endpoints one were
   * late, that one would have its turn with every request, as the other had just been asked for its sake.
   */
  takeAside(): Endpoint | undefined {
    const members = this.#members;
    this.#aside = this.#aside < 0 ? Math.floor(this.#rng() * members.length) : this.#aside + 1;
    if (this.#aside >= members.length) this.#aside = members.length > 0 ? 0 : -1;
    return members[this.#aside];
  }

  #startRound(): void {
    this.#next = this.#members.length > 0 ? 0 : -1;
    this.#round = (this.#round + 1) | 0;
  }

  #place(endpoint: Endpoint | undefined, place: number): void {
    if (endpoint === undefined) return;
    this.#members[place] = endpoint;
    this.#places[endpoint.slot] = place + 1;
  }
}
