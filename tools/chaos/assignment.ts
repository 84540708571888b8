import type { StorePlace } from './places.ts';

/** What a process of a run is told when it starts. */
export interface Assignment {
  readonly who: string;
  readonly historyFile: string;
  readonly place: StorePlace;
  /** Of its randomness. */
  readonly seed: number;
  /** Where a provider listens. */
  readonly port: number;
  /** Where a consumer finds providers. */
  readonly wayHost: string;
}

/** What it is told later. */
export type Order = { readonly order: 'drain' } | { readonly order: 'jump-clock'; readonly byMs: number };

/** What a provider tells whoever publishes it, where it cannot do so itself. */
export type Notice = { readonly notice: 'listening' | 'leaving' | 'left' };
