/**
 * A fast 32-bit hash of a text, well mixed in all bits; not for secrets, and open to chosen collisions.
 * Each seed gives another hash. FNV-1a over the UTF-16 code units, then the finalizer of MurmurHash3.
 * Signed, as half of the unsigned numbers would be objects: where order or size matters, take `>>> 0` of it.
 */
export function hashText(text: string, seed = 0): number {
  let hash = 0x811c9dc5 ^ seed;
  for (let index = 0; index < text.length; index += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  }
  return mix(hash);
}

/** Spreads a number over 32 bits (MurmurHash3 fmix32). Signed, too. */
export function mix(value: number): number {
  let mixed = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
