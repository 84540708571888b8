import type { FactoryProvider, ModuleMetadata } from '@nestjs/common';
import { clientDefaultsSchema, type ServiceClientDefaults } from '@sd/client';
import { ConfigValidationError, validate, type DiscoveryBackend, type RegistryBackend } from '@sd/core';
import type { DiscoveryClientOptions } from '@sd/discovery';
import type { SelfCheck } from '@sd/health';
import { checkProvidedService, type ProvidedService, type ServiceRegistryOptions } from '@sd/registry';
import * as v from 'valibot';

export interface DiscoveryModuleOptions {
  /** Where services are found and published. Whoever made it closes it, after `app.close()`. */
  readonly backend: DiscoveryBackend | RegistryBackend;
  /**
   * What the app is registered as once it listens: a name, or an object with `service` and what else
   * `ServiceRegistry.register()` takes. Default: it only calls others.
   */
  readonly service?: string | ProvidedService | undefined;
  /** Publishes what its checks find. Whoever made it closes it. Default: the app is healthy as long as it runs. */
  readonly selfCheck?: SelfCheck | undefined;
  /** How it is published and drained, as `@sd/registry` takes it. */
  readonly registry?: Omit<ServiceRegistryOptions, 'backend'> | undefined;
  /** How services are found and called, as `@sd/discovery` takes it. */
  readonly discovery?: Omit<DiscoveryClientOptions, 'backend'> | undefined;
  /** What all clients have in common, as `@sd/client` takes it. */
  readonly client?: ServiceClientDefaults | undefined;
}

/** What Nest has to know before there are options. */
export interface DiscoveryModuleScope {
  /** Whether all modules can inject what this one provides, which `forFeature()` needs. Default: true. */
  readonly isGlobal?: boolean | undefined;
  /** Clients to provide right away. Default: none; see `forFeature()`. */
  readonly clients?: readonly ServiceClientSpec[] | undefined;
}

export interface DiscoveryModuleAsyncOptions
  extends DiscoveryModuleScope, Pick<ModuleMetadata, 'imports'>, Pick<FactoryProvider, 'inject'> {
  readonly useFactory: FactoryProvider<
    DiscoveryModuleOptions | Promise<DiscoveryModuleOptions>
  >['useFactory'];
}

/** A service, and how its client differs from the others. */
export type ServiceClientSpec = string | ({ readonly service: string } & ServiceClientDefaults);

/** @throws {ConfigValidationError} naming each wrong option */
export function checkModuleOptions(options: DiscoveryModuleOptions): DiscoveryModuleOptions {
  validate('DiscoveryModule', optionsSchema, options);
  const { service, backend } = options;
  if (service === undefined) return options;
  checkProvidedService('DiscoveryModule', asProvided(service));
  if ('register' in backend) return options;
  const received = `"${backend.name}", which only reads`;
  const expected = 'one that can register, or no service';
  throw new ConfigValidationError('DiscoveryModule', [{ field: 'backend', received, expected }]);
}

/** @throws {ConfigValidationError} naming each wrong option */
export function checkScope(scope: DiscoveryModuleScope): void {
  validate('DiscoveryModule', scopeSchema, scope);
}

/** @throws {ConfigValidationError} */
export function checkAsyncOptions({ isGlobal, clients, useFactory }: DiscoveryModuleAsyncOptions): void {
  validate('DiscoveryModule', asyncSchema, { isGlobal, clients, useFactory });
}

export function asProvided(service: string | ProvidedService): ProvidedService {
  return typeof service === 'string' ? { service } : service;
}

/** @throws {ConfigValidationError} naming each wrong option */
export function checkClientSpec(spec: ServiceClientSpec): {
  service: string;
  options: ServiceClientDefaults;
} {
  const { service, ...options } = typeof spec === 'string' ? { service: spec } : spec;
  validate('DiscoveryModule', clientDefaultsSchema, options);
  return { service, options };
}

const anyOptions = v.optional(v.looseObject({}, 'an object of options'));

const scope = {
  isGlobal: v.optional(v.boolean('true or false')),
  clients: v.optional(v.array(v.unknown(), 'an array of services')),
};
const scopeSchema = v.object(scope, 'an object');
const asyncSchema = v.object(
  { ...scope, useFactory: v.function('a function that returns the options') },
  'an object with useFactory',
);

/** Those who take these know what may be in them. */
const optionsSchema = v.strictObject(
  {
    ...scope,
    backend: v.looseObject({}, 'a backend, e.g. new MemoryBackend()'),
    service: v.optional(v.unknown()),
    selfCheck: v.optional(
      v.custom((value) => typeof Reflect.get(Object(value), 'publishTo') === 'function', 'a SelfCheck'),
    ),
    registry: anyOptions,
    discovery: anyOptions,
    client: v.optional(clientDefaultsSchema),
  },
  'an object with a backend',
);
