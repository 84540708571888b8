import { grownFloats, grownInts } from '../columns.ts';
import type { Endpoint } from '../endpoint.ts';
import { hashText } from '../hash.ts';
import type { KeyTable } from './key-table.ts';

/**
 * A table of 65,537 entries that its members take in turns, each in an order of preference of its own. Shares are as
 * even as can be, and a lookup is one read; a change of members moves a few more keys than it must, and builds the table
 * anew. For up to about 650 members: with more, each has too few entries for even shares.
 *
 * Source: Eisenbud and others, "Maglev: A Fast and Reliable Software Network Load Balancer", 2016, section 3.4; members
 * miss turns for their weight as in Envoy.
 */
export class MaglevTable implements KeyTable {
  readonly #owners = new Int32Array(size).fill(-1);
  /** Slots of the members, in an order that depends on their ids alone. */
  readonly #order: number[] = [];
  // Columns by slot.
  #weights = new Float64Array(0);
  #orders = new Float64Array(0);
  #offsets = new Int32Array(0);
  #skips = new Int32Array(0);
  #isStale = false;

  set({ id, slot }: Endpoint, weight: number): void {
    this.#isStale = true;
    this.#weights = grownFloats(this.#weights, slot + 1);
    this.#orders = grownFloats(this.#orders, slot + 1);
    this.#offsets = grownInts(this.#offsets, slot + 1);
    this.#skips = grownInts(this.#skips, slot + 1);
    const isMember = (this.#weights[slot] ?? 0) > 0;
    this.#weights[slot] = weight;
    if (isMember) return;
    const offset = hashText(id) >>> 0;
    const skip = hashText(id, 1) >>> 0;
    this.#orders[slot] = offset + skip / 2 ** 32;
    this.#offsets[slot] = offset % size;
    this.#skips[slot] = (skip % (size - 1)) + 1;
    this.#order.splice(this.#placeOf(slot), 0, slot);
  }

  remove({ slot }: Endpoint): void {
    if ((this.#weights[slot] ?? 0) === 0) return;
    this.#isStale = true;
    this.#weights[slot] = 0;
    this.#order.splice(this.#order.indexOf(slot, this.#placeOf(slot)), 1);
  }

  settle(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    const owners = this.#owners.fill(-1);
    // By turn, so that the loop reads one after the other.
    const members = new Int32Array(this.#order);
    if (members.length === 0) return;
    const next = members.map((slot) => this.#offsets[slot] ?? 0);
    const skips = members.map((slot) => this.#skips[slot] ?? 1);
    const weights = Float64Array.from(members, (slot) => this.#weights[slot] ?? 0);
    const heaviest = weights.reduce((most, weight) => Math.max(most, weight), 0);
    /** A member misses its turn until `round * weight` has come up to this. */
    const due = new Float64Array(members.length);
    // Entries that are taken, in bits: most of the work is to find free ones, and these fit the nearest cache.
    const taken = new Int32Array((size >>> 5) + 1);
    let left = size;
    for (let first = 1; ; first += 64) {
      // Beside a much heavier one most miss nearly all rounds: those that do are not asked in each.
      const last = first + 63;
      const active = members
        .map((_, turn) => turn)
        .filter((turn) => last * (weights[turn] ?? 0) >= (due[turn] ?? 0));
      for (let round = first; round <= last; round += 1) {
        for (let place = 0; place < active.length; place += 1) {
          const turn = active[place] ?? 0;
          const isDue = due[turn] ?? 0;
          if (round * (weights[turn] ?? 0) < isDue) continue;
          due[turn] = isDue + heaviest;
          const skip = skips[turn] ?? 1;
          let entry = next[turn] ?? 0;
          while (((taken[entry >>> 5] ?? 0) & (1 << entry)) !== 0) {
            entry += skip;
            if (entry >= size) entry -= size;
          }
          taken[entry >>> 5] = (taken[entry >>> 5] ?? 0) | (1 << entry);
          owners[entry] = members[turn] ?? 0;
          next[turn] = entry;
          left -= 1;
          if (left === 0) return;
        }
      }
    }
  }

  ownerOf(hash: number): number {
    return this.#owners[(((hash >>> 0) / 2 ** 32) * size) | 0] ?? -1;
  }

  /** Where in the order a slot belongs. */
  #placeOf(slot: number): number {
    const order = this.#orders[slot] ?? 0;
    let low = 0;
    let high = this.#order.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#orders[this.#order[middle] ?? 0] ?? 0) < order) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** A prime, as each skip must visit all entries. */
const size = 65_537;
