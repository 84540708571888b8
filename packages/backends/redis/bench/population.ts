import { createInstance, encodeInstance, type ServiceInstance } from '@sd/core';

/** Of each record, as JSON. */
export const recordBytes = 262;

export const serviceName = (index: number): string => `service-${String(index).padStart(5, '0')}`;

/** Instance k of a population that is spread evenly over its services, neighbours into different ones. */
export function populationInstance(k: number, services: number): ServiceInstance {
  const service = serviceName((k * 7_919) % services);
  const init = { service, id: `${service}-${k}`, host: `10.0.${(k >> 8) & 255}.${k & 255}`, port: 8080 };
  const of = (filler: string): ServiceInstance =>
    createInstance({ ...init, metadata: { filler } }, 1_767_225_600_000);
  return of('x'.repeat(recordBytes - encodeInstance(of('')).length));
}
