import { clientDefaultsSchema, type ServiceClientDefaults } from '@sd/client';
import { ConfigValidationError, validate, type DiscoveryBackend, type RegistryBackend } from '@sd/core';
import type { DiscoveryClientOptions } from '@sd/discovery';
import type { HealthEndpointsOptions, SelfCheck } from '@sd/health';
import { checkProvidedService, type ProvidedService, type ServiceRegistryOptions } from '@sd/registry';
import * as v from 'valibot';

export interface SdFastifyOptions {
  /** Where services are found and published. Whoever made it closes it, after `app.close()`. */
  readonly backend: DiscoveryBackend | RegistryBackend;
  /**
   * What the app is registered as once it listens: a name, or an object with `service` and what else
   * `ServiceRegistry.register()` takes. Default: it only calls others.
   */
  readonly service?: string | ProvidedService | undefined;
  /** Publishes what its checks find, and answers probes. Whoever made it closes it. Default: no routes. */
  readonly selfCheck?: SelfCheck | undefined;
  /** Paths of the routes for probes, and what they tell; see `HealthEndpointsOptions` of `@sd/health`. */
  readonly health?: Omit<HealthEndpointsOptions, 'selfCheck'> | undefined;
  /** How it is published and drained, as `@sd/registry` takes it; on a signal, call `app.close()`. */
  readonly registry?: Omit<ServiceRegistryOptions, 'backend' | 'shutdownSignals'> | undefined;
  /** How services are found and called, as `@sd/discovery` takes it. */
  readonly discovery?: Omit<DiscoveryClientOptions, 'backend'> | undefined;
  /** What all clients have in common, as `@sd/client` takes it. */
  readonly client?: ServiceClientDefaults | undefined;
}

/** @throws {ConfigValidationError} naming each wrong option */
export function checkOptions(options: SdFastifyOptions): ProvidedService | undefined {
  validate('@sd/fastify', optionsSchema, options);
  const { service, selfCheck, health } = options;
  if (health !== undefined && selfCheck === undefined) {
    const expected = 'one whose findings the routes of health tell';
    throw new ConfigValidationError('@sd/fastify', [{ field: 'selfCheck', received: 'missing', expected }]);
  }
  if (service === undefined) return undefined;
  return checkProvidedService('@sd/fastify', typeof service === 'string' ? { service } : service);
}

const anyOptions = v.optional(v.looseObject({}, 'an object of options'));

/** Those who take these know what may be in them. */
const optionsSchema = v.strictObject(
  {
    backend: v.looseObject({}, 'a backend, e.g. new MemoryBackend()'),
    service: v.optional(v.unknown()),
    selfCheck: v.optional(
      v.custom((value) => typeof Reflect.get(Object(value), 'publishTo') === 'function', 'a SelfCheck'),
    ),
    health: anyOptions,
    registry: v.optional(
      v.pipe(
        v.looseObject({}, 'an object of options'),
        v.check(
          (given) => !('shutdownSignals' in given),
          'no shutdownSignals: on a signal, call app.close()',
        ),
      ),
    ),
    discovery: anyOptions,
    client: v.optional(clientDefaultsSchema),
    prefix: v.optional(v.string('a string')), // Fastify's own
  },
  'an object with a backend',
);
