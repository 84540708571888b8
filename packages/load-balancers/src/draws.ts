import type { Rng } from '@sd/core';
import { mix } from './hash.ts';

/**
 * Chance for the hot path: integers alone, as the fraction that `Math.random` returns costs 16 bytes.
 * A Weyl sequence through the finalizer of MurmurHash3, as SplitMix does it (Steele, Lea, Flood, 2014).
 */
export class Draws {
  #state: number;

  /** @param rng asked once, for the seed */
  constructor(rng: Rng) {
    this.#state = (rng() * 2 ** 32) | 0;
  }

  /** 32 bits, as a signed number. */
  next(): number {
    this.#state = (this.#state + 0x9e3779b9) | 0;
    return mix(this.#state);
  }

  /** From 0 to `n` - 1; `n` is at most 2^31. */
  below(n: number): number {
    return (((this.next() >>> 0) / 2 ** 32) * n) | 0;
  }

  /** True in `share` of all cases, 0 to 1. */
  hits(share: number): boolean {
    return this.next() >>> 0 < share * 2 ** 32;
  }
}
