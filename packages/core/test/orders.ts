import { createInstance, type ServiceInstance, type ServiceInstanceInit } from '../src/index.ts';

/** The least that an instance needs. */
export const orders: ServiceInstanceInit = { service: 'orders', host: '10.0.0.1', port: 8080 };

/** The instance `orders-<n>`. */
export function order(n: number, fields: Partial<ServiceInstanceInit> = {}): ServiceInstance {
  return createInstance({ ...orders, id: `orders-${n}`, host: `10.0.0.${n}`, ...fields }, 0);
}
