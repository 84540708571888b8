export { EndpointPool, type EndpointPoolOptions } from './endpoint-pool.ts';
export type { EndpointSet } from './endpoint-set.ts';
export type { Endpoint, Outcome } from './endpoint.ts';
export { LoadBalancerFactory, type BuiltInStrategy, type StrategyCreator } from './load-balancer-factory.ts';
export { IpHash } from './strategies/ip-hash.ts';
export { LeastConnections } from './strategies/least-connections.ts';
export { Random } from './strategies/random.ts';
export { RoundRobin } from './strategies/round-robin.ts';
export { WeightedRoundRobin } from './strategies/weighted-round-robin.ts';
export { ZoneAware, type ZoneAwareOptions } from './strategies/zone-aware.ts';
export {
  anyRequest,
  firstUntried,
  type PickRequest,
  type Strategy,
  type StrategyContext,
} from './strategy.ts';
