/** Randomness, passed in so that everything that depends on it can be replayed: a number in [0, 1). */
export type Rng = () => number;

export const systemRng: Rng = Math.random;

/**
 * A small generator for tests and simulations: the same seed gives the same numbers.
 * Not for secrets. Source: mulberry32 (Tommy Ettinger, public domain).
 * @param seed a whole number
 */
export function seededRng(seed: number): Rng {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
