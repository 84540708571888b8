import type { Endpoint } from '@sd/load-balancers';

/** What a detector needs of a pool; an `EndpointPool` is one. */
export interface DetectedPool {
  /** A new list whenever one came or left. */
  readonly endpoints: readonly Endpoint[];
  /** Out of rotation until `restore`. @param forMs the detector gives Infinity: it looks after the time itself */
  eject(endpoint: Endpoint, forMs: number, options?: { readonly unreachable?: boolean }): void;
  restore(endpoint: Endpoint): void;
  /** The next suitable attempt goes to this endpoint that is ejected or degraded, one attempt for each call. */
  probe(endpoint: Endpoint): void;
  /** Judged slow, or not any more: it gets what the others cannot bear. */
  degrade(endpoint: Endpoint, isDegraded: boolean): void;
  /** Taken out by hand, or let back. */
  isolate(endpoint: Endpoint, isIsolated: boolean): void;
}
