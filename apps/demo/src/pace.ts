import type { DiscoveryClientOptions } from '@sd/client';

/** How fast things go in a run, in milliseconds. */
export interface Pace {
  readonly durationMs: number;
  /** Of all leases. */
  readonly ttlMs: number;
  /** How long draining instances wait for consumers to hear of it. */
  readonly propagationMs: number;
  /** The longest pause before a view looks for its lost store again. */
  readonly reconnectMs: number;
  /** How long a view doubts a store that came back and has forgotten many instances. */
  readonly doubtMs: number;
}

/** The defaults are made for services that run for days; a short run needs shorter times. */
export function paceOf(durationMs: number): Pace {
  const ttlMs = Math.min(3_000, durationMs * 0.2);
  return {
    durationMs,
    ttlMs,
    propagationMs: Math.min(1_000, durationMs * 0.02),
    reconnectMs: ttlMs / 3, // as often as leases are renewed
    doubtMs: ttlMs * 2, // all instances have noticed, and are back, before
  };
}

/** How views are supervised at this pace. */
export function followAt({ reconnectMs, doubtMs }: Pace): NonNullable<DiscoveryClientOptions['follow']> {
  return { reconnect: { capMs: reconnectMs }, shrinkGuard: { verifyAfterMs: doubtMs } };
}
