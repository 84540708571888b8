import { DiscoveryClient } from '@sd/client';
import type { RegistryBackend } from '@sd/core';
import { ServiceRegistry, type Registration } from '@sd/registry';
import { once, setMaxListeners } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import { followAt } from './pace.ts';
import type { InstanceInit, Runner } from './runner.ts';
import { makeService, type Service, type ServiceName, type ShopRequest, type Surroundings } from './shop.ts';
import { Traffic, type TrafficReading } from './traffic.ts';
import { disappearance, type Disappearance, type DisappearanceOptions, type Named } from './views.ts';

/**
 * Runs an instance in this process. It shares nothing with others but the store: its server, its client of the backend,
 * its registration, its view of the services that it calls.
 */
export class LocalRunner implements Runner {
  /** It dies with everything else here. */
  readonly died = new AbortController().signal;
  readonly #init: InstanceInit;
  readonly #backend: RegistryBackend;
  readonly #discovery: DiscoveryClient;
  readonly #registry: ServiceRegistry;
  readonly #logic: Service;
  readonly #server: Server;
  readonly #traffic = new Traffic();
  readonly #dead = new AbortController();
  #registration: Registration | undefined;
  #extraMs = 0;

  /** @param backend is closed with it */
  constructor(init: InstanceInit, backend: RegistryBackend, surroundings: Surroundings) {
    const { version, zone, strategy, pace } = init;
    this.#init = init;
    this.#backend = backend;
    this.#discovery = new DiscoveryClient({ backend, strategy, zone, follow: followAt(pace) });
    this.#registry = new ServiceRegistry({
      backend,
      ttlMs: pace.ttlMs,
      defaults: { version, zone },
      drain: { propagationMs: pace.propagationMs },
    });
    setMaxListeners(0, this.#dead.signal); // each request in flight listens
    this.#logic = makeService(init, { ...surroundings, discovery: this.#discovery });
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  get traffic(): TrafficReading {
    return this.#traffic.read();
  }

  /** Resolves when consumers can find it. One that is aborted is closed. */
  async start({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    try {
      this.#server.listen(0, '127.0.0.1');
      await once(this.#server, 'listening', { signal });
      await this.#logic.open({ signal });
      const { service, id } = this.#init;
      this.#registration = await this.#registry.register({ service, id, server: this.#server }, { signal });
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  async slowDown(extraMs: number): Promise<void> {
    this.#extraMs = extraMs;
  }

  async busy(): Promise<void> {
    for (let tries = 0; tries < 500 && this.#traffic.inFlight === 0; tries += 1) await wait(1);
  }

  disappearance(gone: Named, options: DisappearanceOptions): Promise<Disappearance> {
    const { doubtMs } = this.#init.pace;
    return disappearance(this.#discovery, gone, { ...options, doubtMs });
  }

  async versionsOf(service: ServiceName): Promise<readonly string[]> {
    const instances = this.#discovery.peek(service)?.instances ?? [];
    return instances.map(({ version = 'none' }) => version);
  }

  /** As if a process were killed. */
  async kill(): Promise<void> {
    this.#dead.abort(new Error(`${this.#init.id} was killed`));
    this.#closeServer();
    await this.#backend.close(); // a backend that closes leaves its leases to expire
    await this.#closeClients();
  }

  async drain(): Promise<void> {
    await this.#registration?.drain();
    await this.close();
  }

  async close(): Promise<void> {
    await this.#registry.close();
    this.#closeServer();
    await this.#closeClients();
    await this.#backend.close();
  }

  #closeServer(): void {
    if (this.#server.listening) this.#server.close();
    this.#server.closeAllConnections();
  }

  async #closeClients(): Promise<void> {
    await this.#logic.close();
    await this.#discovery.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const end = this.#traffic.begin({ late: !this.#server.listening });
    const { socket } = request;
    response.once('close', () => {
      if (response.writableFinished) end('answered');
      else end(socket.readableEnded ? 'given-up' : 'cut-off');
    });
    try {
      const answer = await this.#answer(request);
      reply(response, answer === undefined ? 404 : 200, answer ?? { error: 'no such path' });
    } catch (error) {
      if (!this.#dead.signal.aborted) reply(response, 500, { error: String(error) });
    }
  }

  async #answer(request: IncomingMessage): Promise<object | undefined> {
    const { url = '', headers, method } = request;
    const [, service, order] = url.split('/');
    if (service !== this.#init.service || order === undefined) return undefined;
    const { signal } = this.#dead;
    const body = method === 'GET' ? {} : ((await json(request)) as ShopRequest['body']); // the shop sends objects
    if (this.#extraMs > 0) await wait(this.#extraMs, undefined, { signal });
    return this.#logic.answer({ order, body, idempotencyKey: String(headers['idempotency-key']), signal });
  }
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
