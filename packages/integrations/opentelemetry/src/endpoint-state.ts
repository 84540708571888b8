import type { EndpointHealth } from '@sd/discovery';

/**
 * What keeps an endpoint from its share of calls; the first of these that holds:
 * - `isolated`: an operator of this consumer took it out
 * - `out-of-service`, `draining`, `starting`: so it is published
 * - `unhealthy`: so it is published, or this consumer's own checks fail
 * - `ejected`: calls to it failed
 * - `slow`: calls to it take much longer than to its peers
 * - `degraded`: so it is published, or checked
 * - `eligible`: nothing
 */
export const endpointStates = [
  'isolated',
  'out-of-service',
  'draining',
  'starting',
  'unhealthy',
  'ejected',
  'slow',
  'degraded',
  'eligible',
] as const;

export type EndpointState = (typeof endpointStates)[number];

export function stateOfEndpoint({ reasons }: Pick<EndpointHealth, 'reasons'>): EndpointState {
  const { registry, active, passive, operator } = reasons;
  if (operator !== undefined) return 'isolated';
  if (registry === 'out-of-service' || registry === 'draining' || registry === 'starting') return registry;
  if (registry === 'unhealthy' || active === 'unhealthy') return 'unhealthy';
  if (passive === 'unhealthy') return 'ejected';
  if (passive === 'degraded') return 'slow';
  return registry === 'degraded' || active === 'degraded' ? 'degraded' : 'eligible';
}
