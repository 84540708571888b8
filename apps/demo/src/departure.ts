import type { Disappearance } from './views.ts';

/** An instance that left. */
export interface Departure {
  readonly id: string;
  readonly how: 'killed' | 'drained';
  /** How each view lost it, from its death or the end of its drain on. */
  readonly views: readonly Disappearance[];
  readonly ttlMs: number;
}

/** Milliseconds until the last view had lost it; undefined if one did not. */
export function goneAfterMs({ views }: Departure): number | undefined {
  const slowest = Math.max(0, ...views.map((view) => view.goneAfterMs ?? Infinity));
  return slowest === Infinity ? undefined : slowest;
}

/** Whether each view lost it in that time, trouble with the store aside. */
export function isGoneWithin(limitMs: number, { views }: Departure): boolean {
  return views.every((view) => (view.goneAfterMs ?? Infinity) <= limitMs + view.graceMs);
}

/** Whether there was trouble with the store meanwhile. */
export function sawTrouble({ views }: Departure): boolean {
  return views.some(({ graceMs }) => graceMs > 0);
}
