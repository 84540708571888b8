import { validateServiceName } from '@sd/core';
import { DiscoveryClient } from '@sd/discovery';
import { ServiceRegistry } from '@sd/registry';
import { Inject } from '@nestjs/common';

type Injected = PropertyDecorator & ParameterDecorator;

/** The token of a client, for `overrideProvider()` and `app.get()`. @throws {ConfigValidationError} no name of a service */
export function getServiceClientToken(service: string): string {
  return `sd:ServiceClient:${validateServiceName(service)}`;
}

/** The `ServiceClient` that `forRoot()` or `forFeature()` provides for the service. */
export function InjectServiceClient(service: string): Injected {
  return Inject(getServiceClientToken(service));
}

/** The app's `DiscoveryClient`; its class is the token. */
export function InjectDiscoveryClient(): Injected {
  return Inject(DiscoveryClient);
}

/** The app's `ServiceRegistry`; its class is the token. Its `register()` rejects if the backend only reads. */
export function InjectServiceRegistry(): Injected {
  return Inject(ServiceRegistry);
}
