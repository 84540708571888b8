import { clientDefaultsSchema, type ServiceClient, type ServiceClientDefaults } from '@sd/client';
import { validate, validateServiceName } from '@sd/core';
import type { DiscoveryClient } from '@sd/discovery';
import { injection, type Injection } from './injection.ts';

/**
 * A client of that service. All places of an app that want the same service with the same options share one.
 * @param options beside those that the app has for all its clients
 * @throws {ConfigValidationError} a wrong name, option or place
 */
export function InjectServiceClient(
  service: string,
  options: ServiceClientDefaults = {},
): Injection<ServiceClient> {
  validateServiceName(service);
  validate('@InjectServiceClient', clientDefaultsSchema, options);
  return injection('@InjectServiceClient', (source) => source.client(service, options));
}

/**
 * The app's `DiscoveryClient`, for lookups, watches, and calls that are not HTTP.
 * @throws {ConfigValidationError} a wrong place
 */
export function InjectDiscoveryClient(): Injection<DiscoveryClient> {
  return injection('@InjectDiscoveryClient', ({ discovery }) => discovery);
}
