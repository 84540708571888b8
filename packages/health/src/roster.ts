import type { Endpoint } from '@sd/load-balancers';
import type { DetectedPool } from './detected-pool.ts';

/** Which endpoint a slot belongs to, so that one that comes into the slot of another starts clean. */
export class Roster {
  readonly #pool: DetectedPool;
  readonly #parts: RosterParts;
  #list: readonly Endpoint[] = [];
  #owners: (Endpoint | undefined)[] = [];

  constructor(pool: DetectedPool, parts: RosterParts) {
    this.#pool = pool;
    this.#parts = parts;
  }

  /** As of now. */
  get list(): readonly Endpoint[] {
    this.#refresh();
    return this.#list;
  }

  /** Hot path. */
  has(endpoint: Endpoint): boolean {
    this.#refresh();
    return this.#owners[endpoint.slot] === endpoint;
  }

  #refresh(): void {
    const list = this.#pool.endpoints;
    if (list === this.#list) return;
    this.#list = list;
    const before = this.#owners;
    const needed = list.reduce((most, { slot }) => Math.max(most, slot + 1), 0);
    const slots = needed <= before.length ? before.length : Math.max(needed, before.length * 2, 8);
    if (slots > before.length) this.#parts.grow(slots);
    const owners = new Array<Endpoint | undefined>(slots).fill(undefined);
    for (const endpoint of list) owners[endpoint.slot] = endpoint;
    this.#owners = owners;
    for (const endpoint of list) if (before[endpoint.slot] !== endpoint) this.#parts.arrived(endpoint);
    for (const endpoint of before) {
      if (endpoint !== undefined && owners[endpoint.slot] !== endpoint) this.#parts.left(endpoint);
    }
  }
}

export interface RosterParts {
  /** There are that many slots. */
  grow(slots: number): void;
  arrived(endpoint: Endpoint): void;
  left(endpoint: Endpoint): void;
}
