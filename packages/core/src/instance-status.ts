/**
 * What an instance says of itself.
 * - `starting`: not ready yet
 * - `healthy`, `degraded` (works, worse than usual), `unhealthy`
 * - `draining`: finishes what it has, takes nothing new
 * - `out-of-service`: taken out by an operator
 * - `unknown`: nobody checked; treated as healthy
 */
export type InstanceStatus = (typeof instanceStatuses)[number];

export const instanceStatuses = [
  'starting',
  'healthy',
  'degraded',
  'unhealthy',
  'draining',
  'out-of-service',
  'unknown',
] as const;

/**
 * From best to worst, for where several have a say. What somebody says on purpose outranks what was found: that a check
 * fails is to be expected of what has not started yet. `unknown` is not here, because it is to say nothing.
 */
export const rankedStatuses: readonly InstanceStatus[] = [
  'healthy',
  'degraded',
  'unhealthy',
  'starting',
  'draining',
  'out-of-service',
];

/** Whether an instance of this status takes new requests. `degraded` ones do when no better one is there. */
export function takesRequests(status: InstanceStatus): boolean {
  return status === 'healthy' || status === 'unknown' || status === 'degraded';
}
