export type { BegunAttempt } from './begun-attempt.ts';
export {
  balancingOptions,
  checkBalancing,
  type BalancingOptions,
  type ZoneOptions,
} from './balancing-options.ts';
export { EndpointPool, type EndpointPoolOptions } from './endpoint-pool.ts';
export type { EndpointSet } from './endpoint-set.ts';
export type { CheckedStatus, Endpoint, Outcome } from './endpoint.ts';
export { LatencyMetric, type LatencyMetricOptions } from './latency-metric.ts';
export type { Layer } from './layers/layer.ts';
export type { SlowStartOptions } from './layers/slow-start.ts';
export type { SubsetOptions } from './layers/subset.ts';
export {
  LoadBalancerFactory,
  type BuiltInStrategy,
  type StrategyCreator,
  type StrategyName,
} from './load-balancer-factory.ts';
export type { GroupExplanation, PickExplanation, PickReason, SetExplanation } from './pick-reason.ts';
export { ConsistentHash, type ConsistentHashOptions } from './strategies/consistent-hash.ts';
export { HashRing } from './strategies/hash-ring.ts';
export type { KeyTable } from './strategies/key-table.ts';
export { LeastConnections } from './strategies/least-connections.ts';
export { LeastRequest } from './strategies/least-request.ts';
export { MaglevTable } from './strategies/maglev-table.ts';
export { PeakEwma, type PeakEwmaOptions } from './strategies/peak-ewma.ts';
export { Random } from './strategies/random.ts';
export { RendezvousTable } from './strategies/rendezvous-table.ts';
export { RoundRobin } from './strategies/round-robin.ts';
export { Sticky, type StickyOptions } from './strategies/sticky.ts';
export { WeightedRandom } from './strategies/weighted-random.ts';
export { WeightedRoundRobin } from './strategies/weighted-round-robin.ts';
export {
  anyRequest,
  firstUntried,
  type Affinity,
  type IncrementalStrategy,
  type PickRequest,
  type Strategy,
  type StrategyContext,
} from './strategy.ts';
