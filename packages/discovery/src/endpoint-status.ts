import { takesRequests, type InstanceStatus } from '@sd/core';
import type { Endpoint } from '@sd/load-balancers';

/** How an endpoint is, by all that this consumer knows: the worst that the registry, checks, attempts and operators say. */
export function statusOf({
  instance: { status },
  isolated,
  ejected,
  checked,
  slow,
}: Endpoint): InstanceStatus {
  if (isolated) return 'out-of-service';
  if (!takesRequests(status)) return status;
  if (ejected || checked === 'unhealthy') return 'unhealthy';
  return slow || checked === 'degraded' ? 'degraded' : status;
}
