import { ServiceClient } from '@sd/client';
import { ConfigValidationError, globalLogger, type DiscoveryBackend, type RegistryBackend } from '@sd/core';
import { DiscoveryClient } from '@sd/discovery';
import { healthEndpoints } from '@sd/health';
import { leftOpen, ServiceRegistry, type ProvidedService, type Registration } from '@sd/registry';
import type { FastifyInstance } from 'fastify';
import fp from 'fastify-plugin';
import { checkOptions, type SdFastifyOptions } from './options.ts';

declare module 'fastify' {
  interface FastifyInstance {
    /** Finds services; of `@sd/fastify`. */
    readonly discovery: DiscoveryClient;
    /** The app's client of a service; of `@sd/fastify`. */
    readonly serviceClient: (service: string) => ServiceClient;
  }
}

/**
 * Registers the app once it listens, drains it before it closes, answers probes, and calls other services.
 * @throws {ConfigValidationError} naming each wrong option
 */
export const sd = fp(install, { name: '@sd/fastify', fastify: '5.x' });

async function install(app: FastifyInstance, options: SdFastifyOptions): Promise<void> {
  const service = checkOptions(options);
  if (options.selfCheck !== undefined) {
    const { fastify } = healthEndpoints({ ...options.health, selfCheck: options.selfCheck });
    await app.register(fastify);
  }
  provideClients(app, options);
  if (service !== undefined) publish(app, service, options);
}

function provideClients(
  app: FastifyInstance,
  { backend, discovery: found, client: defaults }: SdFastifyOptions,
) {
  const discovery = new DiscoveryClient({ ...found, backend });
  const clients = new Map<string, ServiceClient>();
  app.decorate('discovery', discovery);
  app.decorate('serviceClient', (service: string) => {
    const client = clients.get(service) ?? new ServiceClient({ ...defaults, service, discovery });
    clients.set(service, client);
    return client;
  });
  // Fastify calls these last, when what was in flight is answered.
  app.addHook('onClose', async () => {
    await Promise.all([...clients.values()].map((client) => client.close()));
    await discovery.close();
  });
}

function publish(app: FastifyInstance, service: ProvidedService, options: SdFastifyOptions): void {
  const { backend, selfCheck, registry: { logger = globalLogger } = {} } = options;
  if (!canRegister(backend)) throw readOnly(backend);
  const registry = new ServiceRegistry({ ...options.registry, backend });
  const register = async (): Promise<void> => {
    try {
      const registration = await registry.register({ ...leftOpen(app.server), ...service });
      publishChecks(registration);
    } catch (error) {
      if (!leaving) logger.error(`The app is not registered as "${service.service}"`, { error });
    }
  };
  // Fastify runs the next of these hooks when this one is done, which must not take until the store is there.
  app.addHook('onListen', (done) => {
    void register();
    done();
  });
  let leaving = false;
  let endReports: (() => void) | undefined;
  const publishChecks = (registration: Registration): void => {
    try {
      endReports = selfCheck?.publishTo(registration);
    } catch (error) {
      logger.error('The app is registered, and what its checks find is not published', { error });
    }
  };
  // From preClose on, Fastify answers 503. A hook that is added when all others are runs before that.
  app.addHook('onReady', async () => {
    app.addHook('onClose', async () => {
      leaving = true;
      await registry.drain();
      await registry.close();
      endReports?.(); // the check may outlive the app
    });
  });
}

function canRegister(backend: DiscoveryBackend): backend is RegistryBackend {
  return 'register' in backend;
}

function readOnly({ name }: DiscoveryBackend): ConfigValidationError {
  const received = `"${name}", which only reads`;
  const expected = 'one that can register, or no service';
  return new ConfigValidationError('@sd/fastify', [{ field: 'backend', received, expected }]);
}
