import type { Endpoint } from '../endpoint.ts';

/**
 * Says which of its members owns a key. All tables of a kind that have the same ids with the same weights say the same,
 * whatever happened before.
 */
export interface KeyTable {
  /** Also when it is a member already: this is its weight now. */
  set(endpoint: Endpoint, weight: number): void;
  remove(endpoint: Endpoint): void;
  /** The changes are complete. */
  settle(): void;
  /** Hot path. The owner's slot; -1 when there is nobody. @param hash 32 bits, evenly spread, as a signed number */
  ownerOf(hash: number): number;
}
