import { rankedStatuses, type InstanceStatus } from '@sd/core';
import * as v from 'valibot';

/** What checks of this process can find. */
export type ReportedHealth = (typeof reportable)[number];

const reportable = ['starting', 'healthy', 'degraded', 'unhealthy'] as const;

export const reportSchema = v.object({
  status: v.picklist(reportable, `one of ${reportable.map((status) => `"${status}"`).join(', ')}`),
});

/**
 * The worse of what the owner said and what checks found, so that neither overwrites the other. An owner who said
 * `starting` knew nothing yet: whatever a check finds is more.
 */
export function publishedStatus(said: InstanceStatus, found: ReportedHealth | undefined): InstanceStatus {
  if (found === undefined) return said;
  return said !== 'starting' && rankedStatuses.indexOf(said) > rankedStatuses.indexOf(found) ? said : found;
}
