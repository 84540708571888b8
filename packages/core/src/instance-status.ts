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

/** Whether an instance of this status takes new requests. `degraded` ones do when no better one is there. */
export function takesRequests(status: InstanceStatus): boolean {
  return status === 'healthy' || status === 'unknown' || status === 'degraded';
}
