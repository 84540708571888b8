import type {
  BeforeApplicationShutdown,
  OnApplicationBootstrap,
  OnApplicationShutdown,
} from '@nestjs/common';
import { ServiceClient, type ServiceClientDefaults } from '@sd/client';
import { ClosedError, ConfigValidationError, globalLogger } from '@sd/core';
import { DiscoveryClient } from '@sd/discovery';
import { leftOpen, ServiceRegistry, type ProvidedService, type Registration } from '@sd/registry';
import { Server } from 'node:net';
import { asProvided, type DiscoveryModuleOptions } from './module-options.ts';
import { publishable } from './publishable.ts';

/** What the module makes for one app, and how it lives with it. */
export class SdRuntime implements OnApplicationBootstrap, BeforeApplicationShutdown, OnApplicationShutdown {
  readonly discovery: DiscoveryClient;
  readonly registry: ServiceRegistry;
  /**
   * How the app is published. Nest's `listen()` does not wait for it. Rejects if the store refuses it, which is logged
   * as well, with a `ClosedError` if the app closes before, and with a `ConfigValidationError` if it is no service.
   */
  readonly registration: Promise<Registration>;
  readonly #options: DiscoveryModuleOptions;
  readonly #host: AdapterHost;
  readonly #clients: ServiceClient[] = [];
  readonly #leaving = new AbortController();
  #endReports: (() => void) | undefined;
  /** Set by the promise's executor, which runs at once. */
  #settle!: { resolve(registration: Promise<Registration>): void; reject(error: Error): void };

  /** @throws {ConfigValidationError} naming each wrong option */
  constructor(options: DiscoveryModuleOptions, host: AdapterHost) {
    this.#options = options;
    this.#host = host;
    this.discovery = new DiscoveryClient({ ...options.discovery, backend: options.backend });
    this.registry = new ServiceRegistry({ ...options.registry, backend: publishable(options.backend) });
    this.registration = new Promise((resolve, reject) => (this.#settle = { resolve, reject }));
    this.registration.catch((error: unknown) => {
      const isNews = this.#options.service !== undefined && !this.#leaving.signal.aborted;
      if (isNews) this.#report('The app is not registered', error);
    });
  }

  /** A client that ends with the app. @throws {ConfigValidationError} naming each wrong option */
  client(service: string, options: ServiceClientDefaults = {}): ServiceClient {
    const { discovery } = this;
    const client = new ServiceClient({ ...this.#options.client, ...options, service, discovery });
    this.#clients.push(client);
    return client;
  }

  /** Nest calls this before the app listens, so it only waits for that. */
  onApplicationBootstrap(): void {
    if (this.#options.service === undefined) {
      this.#settle.reject(noService());
      return;
    }
    const service = asProvided(this.#options.service);
    const server = this.#host.httpAdapter?.getHttpServer();
    if (!(server instanceof Server)) throw noServer();
    if (server.listening) this.#register(service, server);
    else server.once('listening', () => this.#register(service, server));
  }

  /** While the server still listens: consumers hear that it drains, and go elsewhere. */
  async beforeApplicationShutdown(): Promise<void> {
    const reason = new ClosedError('The app');
    this.#leaving.abort(reason);
    this.#settle.reject(reason);
    await this.registry.drain();
  }

  /** After the app has answered what was in flight, which may have needed clients. */
  async onApplicationShutdown(): Promise<void> {
    await this.registry.close();
    this.#endReports?.(); // the check may outlive the app
    await Promise.all(this.#clients.map((client) => client.close()));
    await this.discovery.close();
  }

  #register(service: ProvidedService, server: Server): void {
    const { signal } = this.#leaving;
    if (signal.aborted) return; // `registration` has said so
    const registering = this.registry.register({ ...leftOpen(server), ...service }, { signal });
    this.#settle.resolve(
      registering.then((registration) => {
        this.#publishChecks(registration);
        return registration;
      }),
    );
  }

  #publishChecks(registration: Registration): void {
    try {
      this.#endReports = this.#options.selfCheck?.publishTo(registration);
    } catch (error) {
      this.#report('The app is registered, and what its checks find is not published', error);
    }
  }

  #report(message: string, error: unknown): void {
    const { logger = globalLogger } = this.#options.registry ?? {};
    logger.error(message, { error });
  }
}

/** What is needed of Nest's `HttpAdapterHost`; there is no adapter in an app without HTTP. */
interface AdapterHost {
  readonly httpAdapter?: { getHttpServer(): unknown };
}

function noService(): ConfigValidationError {
  const expected = 'the name of the service that the app is';
  return new ConfigValidationError('DiscoveryModule', [{ field: 'service', received: 'missing', expected }]);
}

function noServer(): ConfigValidationError {
  const received = 'given to an app without an HTTP server';
  const expected = 'none; register such an app with ServiceRegistry, which is provided';
  return new ConfigValidationError('DiscoveryModule', [{ field: 'service', received, expected }]);
}
