import { takesRequests } from '@sd/core';
import type { Endpoint } from './endpoint.ts';

/** Decides which endpoints are eligible. Runs when something changes, never per request. */
export type Layer = (endpoints: readonly Endpoint[]) => readonly Endpoint[];

/** Those that their own status lets take requests. */
export const takingRequests: Layer = (endpoints) =>
  endpoints.filter(({ instance }) => takesRequests(instance.status));

/** Weight 0 means no requests, unless all have it. */
export const withWeight: Layer = (endpoints) => whereAny(endpoints, ({ instance }) => instance.weight > 0);

/** Those not ejected; all, if all are: then the fault is more likely ours or the network's. */
export const notEjected: Layer = (endpoints) => whereAny(endpoints, ({ ejected }) => !ejected);

/** Degraded ones only where there is no better. */
export const healthyBeforeDegraded: Layer = (endpoints) =>
  whereAny(endpoints, ({ instance }) => instance.status !== 'degraded');

/** Those of the best priority that is present. */
export const bestPriority: Layer = (endpoints) => {
  const best = endpoints.reduce((least, { instance }) => Math.min(least, instance.priority), Infinity);
  return endpoints.filter(({ instance }) => instance.priority === best);
};

function whereAny(
  endpoints: readonly Endpoint[],
  wanted: (endpoint: Endpoint) => boolean,
): readonly Endpoint[] {
  const some = endpoints.filter(wanted);
  return some.length > 0 ? some : endpoints;
}
