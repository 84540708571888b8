import { clientDefaultsSchema, type ServiceClientDefaults } from '@sd/client';
import {
  ClosedError,
  ConfigValidationError,
  validate,
  type DiscoveryBackend,
  type RegistryBackend,
} from '@sd/core';
import { DiscoveryClient, type DiscoveryClientOptions } from '@sd/discovery';
import {
  ServiceRegistry,
  type ListeningServer,
  type ProvidedService,
  type Registration,
  type RegistrationInit,
  type ServiceRegistryOptions,
} from '@sd/registry';
import * as v from 'valibot';
import { constructFor } from './construction.ts';
import { argumentsOf, fillProperties } from './legacy-wishes.ts';
import type { OwnArguments } from './own-arguments.ts';
import { closeNow, listen, untilListening, type Provider } from './provider.ts';
import { serviceOf } from './service-registry.ts';
import { SharedClients } from './shared-clients.ts';

export interface DiscoveryAppOptions {
  /** Where services are found and, by `start()`, published. Whoever made it closes it. */
  readonly backend: DiscoveryBackend | RegistryBackend;
  /** How services are published, as `@sd/registry` takes it. */
  readonly registry?: Omit<ServiceRegistryOptions, 'backend'> | undefined;
  /** How services are found and called, as `@sd/discovery` takes it. */
  readonly discovery?: Omit<DiscoveryClientOptions, 'backend'> | undefined;
  /** What all injected clients have in common, as `@sd/client` takes it. */
  readonly client?: ServiceClientDefaults | undefined;
}

export interface StartedService<T> {
  readonly instance: T;
  /** For a `SelfCheck` to publish to, or to drain this service alone. */
  readonly registration: Registration;
}

/** Makes instances of decorated classes, gives them what they want, publishes them, and ends all of it. */
export class DiscoveryApp implements AsyncDisposable {
  readonly #registry: ServiceRegistry | undefined;
  readonly #clients: SharedClients;
  readonly #starts = new Map<object, Promise<unknown>>();
  readonly #stopping = new AbortController();
  #stopped: Promise<void> | undefined;

  /** @throws {ConfigValidationError} naming each wrong option */
  constructor(options: DiscoveryAppOptions) {
    validate('DiscoveryApp', optionsSchema, options);
    const { backend, registry, discovery, client = {} } = options;
    this.#clients = new SharedClients(new DiscoveryClient({ ...discovery, backend }), client);
    this.#registry = canRegister(backend) ? new ServiceRegistry({ ...registry, backend }) : undefined;
  }

  /**
   * Makes an instance with all that its decorators, and those of its base classes, ask for.
   * @param own for the parameters of the constructor that are not decorated
   * @throws {ConfigValidationError} an option of a client is wrong
   * @throws {ClosedError} the app is stopped, or about to be
   */
  create<Parameters extends readonly unknown[], T extends object>(
    Class: new (...args: Parameters) => T,
    ...own: OwnArguments<Parameters>
  ): T;
  create(Class: new (...args: unknown[]) => object, ...own: readonly unknown[]): object {
    this.#stopping.signal.throwIfAborted();
    const instance = constructFor(this.#clients, () => new Class(...argumentsOf(Class, own, this.#clients)));
    fillProperties(instance, this.#clients);
    return instance;
  }

  /**
   * Makes an instance as `create()` does, waits until it listens, and publishes it. What was opened when that fails is
   * closed again.
   * @throws {ConfigValidationError} the class has no `@ServiceRegistry`, is started already, or has no server
   * @throws {ClosedError} the app is stopped, now or meanwhile
   * @throws what `listen()` of the instance and `ServiceRegistry.register()` throw
   */
  async start<Parameters extends readonly unknown[], T extends Provider>(
    Class: new (...args: Parameters) => T,
    ...own: OwnArguments<Parameters>
  ): Promise<StartedService<T>> {
    const service = serviceOf(Class);
    if (service === undefined) {
      throw mistake(Class.name, 'a class without @ServiceRegistry', 'one that is decorated with it');
    }
    if (this.#starts.has(Class)) {
      throw mistake(Class.name, 'started already', 'one registration of a class; a subclass makes another');
    }
    const start = this.#start(service, () => this.create(Class, ...own));
    this.#starts.set(Class, start);
    try {
      const started = await start;
      started.registration.onStateChange(({ value }) => {
        if (value === 'deregistered') this.#starts.delete(Class);
      });
      return started;
    } catch (error) {
      this.#starts.delete(Class);
      throw error;
    }
  }

  /**
   * Drains what was started, side by side, which closes the servers; then ends its clients. Starts that are under way
   * are given up, but for a `listen()`, which is waited for. The backend stays open. Idempotent.
   */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #start<T extends Provider>(service: ProvidedService, create: () => T): Promise<StartedService<T>> {
    const { signal } = this.#stopping;
    signal.throwIfAborted();
    const registry = this.#registry;
    if (registry === undefined) {
      throw mistake('backend', 'one that only reads', 'one that can register, to start a class');
    }
    const instance = create();
    let server: ListeningServer | undefined;
    try {
      server = await listen(instance);
      if (server !== undefined) await untilListening(server, signal);
      signal.throwIfAborted();
      const registration = await registry.register(describe(instance, service, server), { signal });
      return { instance, registration };
    } catch (error) {
      await closeNow(server ?? instance.server);
      throw error;
    }
  }

  async #stop(): Promise<void> {
    this.#stopping.abort(new ClosedError('DiscoveryApp'));
    await Promise.allSettled(this.#starts.values());
    await this.#registry?.drain();
    await this.#registry?.close();
    await this.#clients.close(); // last: what is drained still calls others
  }
}

function describe(
  instance: Provider,
  { port, ...service }: ProvidedService,
  server: ListeningServer | undefined,
): RegistrationInit {
  if (server !== undefined) return { ...service, port, server };
  if (port !== undefined) return { ...service, port };
  const expected = 'a property with the server, a listen() that returns it, or a port in @ServiceRegistry';
  throw mistake(`server of ${instance.constructor.name}`, 'missing', expected);
}

function canRegister(backend: DiscoveryBackend): backend is RegistryBackend {
  return 'register' in backend;
}

function mistake(field: string, received: string, expected: string): ConfigValidationError {
  return new ConfigValidationError('DiscoveryApp', [{ field, received, expected }]);
}

const options = v.optional(v.looseObject({}, 'an object of options'));

/** Those who take these know what may be in them. */
const optionsSchema = v.strictObject(
  {
    backend: v.unknown(),
    registry: options,
    discovery: options,
    client: v.optional(clientDefaultsSchema),
  },
  'an object with a backend',
);
