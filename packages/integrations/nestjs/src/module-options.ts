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
  /** How it is published and drained, as `@sd/registry` takes it; for signals Nest has `enableShutdownHooks()`. */
  readonly registry?: Omit<ServiceRegistryOptions, 'backend' | 'shutdownSignals'> | undefined;
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
export function checkModuleOptions(options: DiscoveryModuleOptions & DiscoveryModuleScope): void {
  validate('DiscoveryModule', scopedOptionsSchema, options);
  checkService(options);
}

/** What a factory has made. @throws {ConfigValidationError} naming each wrong option */
export function checkMadeOptions(options: DiscoveryModuleOptions): DiscoveryModuleOptions {
  validate('DiscoveryModule', optionsSchema, options);
  checkService(options);
  return options;
}

function checkService(options: DiscoveryModuleOptions): void {
  const { service, backend } = options;
  if (service === undefined) return;
  checkProvidedService('DiscoveryModule', asProvided(service));
  if ('register' in backend) return;
  const received = `"${backend.name}", which only reads`;
  const expected = 'one that can register, or no service';
  throw new ConfigValidationError('DiscoveryModule', [{ field: 'backend', received, expected }]);
}

/** @throws {ConfigValidationError} */
export function checkClients(clients: readonly ServiceClientSpec[]): void {
  validate('DiscoveryModule', v.object({ clients: clientsSchema }), { clients });
}

/** @throws {ConfigValidationError} naming each wrong option */
export function checkAsyncOptions(options: DiscoveryModuleAsyncOptions): void {
  validate('DiscoveryModule', asyncSchema, options);
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

/** A registry that acts on signals would end the process before Nest has ended the app. */
const registryOptions = v.optional(
  v.pipe(
    v.looseObject({}, 'an object of options'),
    v.check((given) => !('shutdownSignals' in given), 'no shutdownSignals: Nest has enableShutdownHooks()'),
  ),
);
const anyOptions = v.optional(v.looseObject({}, 'an object of options'));

const clientsSchema = v.array(v.unknown(), 'an array of services');
const scope = {
  isGlobal: v.optional(v.boolean('true or false')),
  clients: v.optional(clientsSchema),
};
const list = v.optional(v.array(v.unknown(), 'an array'));
const asyncSchema = v.strictObject(
  { ...scope, imports: list, inject: list, useFactory: v.function('a function that returns the options') },
  'an object with useFactory',
);

/** Those who take these know what may be in them. */
const optionsSchema = v.strictObject(
  {
    backend: v.looseObject({}, 'a backend, e.g. new MemoryBackend()'),
    service: v.optional(v.unknown()),
    selfCheck: v.optional(
      v.custom((value) => typeof Reflect.get(Object(value), 'publishTo') === 'function', 'a SelfCheck'),
    ),
    registry: registryOptions,
    discovery: anyOptions,
    client: v.optional(clientDefaultsSchema),
  },
  'an object with a backend',
);
const scopedOptionsSchema = v.strictObject(
  { ...optionsSchema.entries, ...scope },
  'an object with a backend',
);
