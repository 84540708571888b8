import { instanceStatuses, validate, type InstanceStatus } from '@sd/core';
import * as v from 'valibot';
import { share } from './check-option-schemas.ts';

export interface ServiceHealthOptions {
  /** From this share on the service is healthy, 0 to 1. Default: 0.8. */
  readonly healthyFrom?: number | undefined;
  /** From this share on it is degraded, 0 to `healthyFrom`. Default: 0.5. */
  readonly degradedFrom?: number | undefined;
}

export interface ServiceHealth {
  /** `unknown` when nobody counts, or nobody was checked. */
  readonly status: 'unknown' | 'healthy' | 'degraded' | 'unhealthy';
  /** Of those that count, the share that is healthy, 0 to 1; 0 when nobody counts. */
  readonly healthyShare: number;
  /** How many there are of each status. */
  readonly counts: Readonly<Record<InstanceStatus, number>>;
}

const shareOption = v.optional(share(1));

const optionsSchema = v.pipe(
  v.strictObject({ healthyFrom: shareOption, degradedFrom: shareOption }, 'an object'),
  v.forward(
    v.check(
      ({ healthyFrom = 0.8, degradedFrom = 0.5 }) => healthyFrom >= degradedFrom,
      'a share from 0 to healthyFrom',
    ),
    ['degradedFrom'],
  ),
);

const status = v.picklist(instanceStatuses, `one of ${instanceStatuses.join(', ')}`);
const instancesSchema = v.object({
  instances: v.array(
    v.union([status, v.object({ status })], 'a status, or an object with one'),
    'an array of statuses or instances',
  ),
});

/**
 * How a service is as a whole. Draining and out-of-service ones were taken out on purpose and do not count. A degraded one
 * counts as half a healthy one; an unknown one, which takes requests like others, as healthy; a starting one not yet.
 * @param instances statuses, or what has one: instances, or what `AdvancedHealthChecker` knows of its targets
 * @throws {ConfigValidationError} naming each wrong option
 */
export function serviceHealth(
  instances: readonly (InstanceStatus | { readonly status: InstanceStatus })[],
  options: ServiceHealthOptions = {},
): ServiceHealth {
  validate('serviceHealth', optionsSchema, options);
  validate('serviceHealth', instancesSchema, { instances });
  const { healthyFrom = 0.8, degradedFrom = 0.5 } = options;
  const counts = countByStatus(instances);
  const counting = instances.length - counts.draining - counts['out-of-service'];
  const healthyShare =
    counting === 0 ? 0 : (counts.healthy + counts.unknown + counts.degraded / 2) / counting;
  const isUnknown = counting === counts.unknown;
  return { status: isUnknown ? 'unknown' : statusOf(healthyShare), healthyShare, counts };

  function statusOf(share: number): ServiceHealth['status'] {
    if (share >= healthyFrom) return 'healthy';
    return share >= degradedFrom ? 'degraded' : 'unhealthy';
  }
}

function countByStatus(
  instances: readonly (InstanceStatus | { readonly status: InstanceStatus })[],
): Record<InstanceStatus, number> {
  const counts: Record<InstanceStatus, number> = {
    starting: 0,
    healthy: 0,
    degraded: 0,
    unhealthy: 0,
    draining: 0,
    'out-of-service': 0,
    unknown: 0,
  };
  for (const instance of instances) counts[typeof instance === 'string' ? instance : instance.status] += 1;
  return counts;
}
