import type { Endpoint } from '../endpoint.ts';

/**
 * Decides which endpoints are eligible, and at what weight. Runs when something changes, never per request; where
 * something else that it goes by has changed, call `EndpointPool.refresh`.
 */
export interface Layer {
  /** For explanations. */
  readonly name: string;
  /**
   * Changes `weights` in place: 0 for those that shall take no requests, or a number from 1e-9 to 1e9. What a later layer
   * gets is what this one leaves.
   * @param endpoints those the set's filter lets through, whatever their state
   * @param weights theirs, by place: as published, times what layers before this one made of them
   */
  apply(endpoints: readonly Endpoint[], weights: Float64Array): void;
}
