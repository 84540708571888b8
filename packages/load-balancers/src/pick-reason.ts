/**
 * Why a pick returned its endpoint. The first of these that holds:
 * - `probe`: to see whether one that is out of rotation works again
 * - `panic`: too few are available, so that ejected ones are used too
 * - `fallback`: those that should have had it cannot: degraded ones, or another than the one the key belongs to, or
 *   somewhere else because all there were tried
 * - `spill`: another priority or zone than the first, as that cannot bear everything
 * - `sticky`: the key belongs there
 * - `subset`: one of those that this consumer calls
 * - `direct`: nothing of all that
 */
export type PickReason = 'probe' | 'panic' | 'fallback' | 'spill' | 'sticky' | 'subset' | 'direct';

/** What a set's last pick went by. */
export interface PickExplanation {
  readonly reason: PickReason;
  /** Of the endpoint, as published. */
  readonly priority: number;
  readonly zone: string | undefined;
  /** Share of all picks that this priority and zone get, 0 to 1; 0 for a probe. */
  readonly share: number;
}

/** What the layers make of the endpoints of a set, now. */
export interface SetExplanation {
  /** Endpoints of the pool; of these, those the filter lets through; of these, those in the set. */
  readonly known: number;
  readonly matching: number;
  /** With weight 0, left out by a layer of the user's, or not in this consumer's subset. */
  readonly leftOut: number;
  /** Of those in the set, how many are in what condition. */
  readonly healthy: number;
  readonly degraded: number;
  readonly ejected: number;
  readonly unreachable: number;
  readonly unhealthy: number;
  /** Starting, draining, out of service or isolated. */
  readonly off: number;
  /** As many in flight as they may have. */
  readonly saturated: number;
  readonly groups: readonly GroupExplanation[];
}

/** Endpoints of one priority and zone. */
export interface GroupExplanation {
  readonly priority: number;
  readonly zone: string | undefined;
  readonly endpoints: number;
  /** Shares of all picks, 0 to 1. */
  readonly share: number;
  readonly degradedShare: number;
  readonly panic: boolean;
}
