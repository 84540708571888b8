import type { Facts } from './facts.ts';

/** Something that must not be. */
export interface Violation {
  readonly invariant: string;
  readonly t: number;
  readonly who: string;
  readonly text: string;
}

/** What always holds. */
export interface Invariant {
  /** A sentence. */
  readonly name: string;
  /** Whether it has limits so short that a machine may be too busy to keep them. */
  readonly isTimed: boolean;
  readonly violations: (facts: Facts, options: CheckOptions) => readonly Omit<Violation, 'invariant'>[];
}

export interface CheckOptions {
  /** Whether views of this store say that they are stale while it is away; they do where only their way to it is. */
  readonly saysStale: boolean;
}
