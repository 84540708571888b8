import { grownFloats, grownInts } from '../columns.ts';
import type { Endpoint } from '../endpoint.ts';
import { hashText, mix } from '../hash.ts';
import type { KeyTable } from './key-table.ts';

/**
 * Each member gives each key a score, and the highest owns it: shares are exactly as the weights say, a change moves
 * only the keys it must, and there is nothing to build. A lookup asks all members: for up to about 64 of them.
 *
 * Source: Thaler, Ravishankar, "Using name-based mappings to increase hit rates", 1998; the weighted form by Mosharaf
 * and others, "Weighted rendezvous hashing", 2005: -weight / ln(hash).
 */
export class RendezvousTable implements KeyTable {
  /** Slots of the members. */
  readonly #members: number[] = [];
  // Columns by slot.
  #weights = new Float64Array(0);
  #hashes = new Int32Array(0);
  #equal = true;
  #isStale = false;

  set({ id, slot }: Endpoint, weight: number): void {
    this.#isStale = true;
    this.#weights = grownFloats(this.#weights, slot + 1);
    this.#hashes = grownInts(this.#hashes, slot + 1);
    if ((this.#weights[slot] ?? 0) === 0) this.#members.push(slot);
    this.#weights[slot] = weight;
    this.#hashes[slot] = hashText(id);
  }

  remove({ slot }: Endpoint): void {
    this.#isStale = true;
    this.#weights[slot] = 0;
    const place = this.#members.indexOf(slot);
    if (place >= 0) this.#members.splice(place, 1);
  }

  settle(): void {
    if (!this.#isStale) return;
    this.#isStale = false;
    const first = this.#weights[this.#members[0] ?? 0];
    this.#equal = this.#members.every((slot) => this.#weights[slot] === first);
  }

  ownerOf(hash: number): number {
    const members = this.#members;
    let owner = -1;
    let best = -1;
    for (let index = 0; index < members.length; index += 1) {
      const slot = members[index] ?? 0;
      const drawn = mix(hash ^ (this.#hashes[slot] ?? 0)) >>> 0;
      const score = this.#equal ? drawn : (this.#weights[slot] ?? 0) / -Math.log((drawn + 0.5) / 2 ** 32);
      if (score <= best) continue;
      best = score;
      owner = slot;
    }
    return owner;
  }
}
