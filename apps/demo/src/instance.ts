import { DiscoveryClient } from '@sd/client';
import { MemoryBackend, type MemoryStore } from '@sd/memory';
import { ServiceRegistry, type Registration } from '@sd/registry';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';
import { setTimeout as wait } from 'node:timers/promises';
import type { Service, ServiceName, ShopRequest } from './shop.ts';
import { Traffic } from './traffic.ts';

export interface InstanceInit {
  readonly service: ServiceName;
  readonly id: string;
  readonly version: string;
  readonly zone: string;
  readonly strategy: string;
  readonly store: MemoryStore;
  readonly ttlMs: number;
  readonly propagationMs: number;
  readonly makeService: (discovery: DiscoveryClient) => Service;
}

/** What the script did to an instance. */
export type Fate = 'running' | 'slowed' | 'killed' | 'draining' | 'drained';

/**
 * One running copy of a service. It shares nothing with the others but the store, as if it were a process of its own:
 * its server, its client of the backend, its registration, its view of the services that it calls.
 */
export class Instance {
  readonly service: ServiceName;
  readonly id: string;
  readonly version: string;
  readonly traffic = new Traffic();
  readonly discovery: DiscoveryClient;
  readonly startedAt = performance.now();
  readonly #backend: MemoryBackend;
  readonly #registry: ServiceRegistry;
  readonly #logic: Service;
  readonly #server: Server;
  readonly #dead = new AbortController();
  #registration: Registration | undefined;
  #fate: Fate = 'running';
  #extraMs = 0;
  #leftAt: number | undefined;

  constructor(init: InstanceInit) {
    const { service, id, version, zone, strategy, store, ttlMs, propagationMs } = init;
    this.service = service;
    this.id = id;
    this.version = version;
    this.#backend = new MemoryBackend({ store });
    this.discovery = new DiscoveryClient({ backend: this.#backend, strategy, zone });
    this.#registry = new ServiceRegistry({
      backend: this.#backend,
      ttlMs,
      defaults: { version, zone },
      drain: { propagationMs },
    });
    this.#logic = init.makeService(this.discovery);
    this.#server = createServer((request, response) => void this.#serve(request, response));
  }

  get fate(): Fate {
    return this.#fate;
  }

  /** When it was killed or began to drain, on the clock of `performance`. */
  get leftAt(): number | undefined {
    return this.#leftAt;
  }

  /** Resolves when consumers can find it. */
  async start(): Promise<void> {
    this.#server.listen(0, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#registration = await this.#registry.register({
      service: this.service,
      id: this.id,
      server: this.#server,
    });
  }

  /** From now on each answer takes that much longer, in milliseconds. */
  slowDown(extraMs: number): void {
    this.#extraMs = extraMs;
    this.#fate = extraMs > 0 ? 'slowed' : 'running';
  }

  /** As if the process were killed: connections break, nobody says goodbye, and nobody renews the lease any more. */
  async kill(): Promise<void> {
    this.#leave('killed');
    this.#dead.abort(new Error(`${this.id} was killed`));
    this.#server.close();
    this.#server.closeAllConnections();
    await this.#backend.close(); // a backend that closes leaves its leases to expire
    await this.#closeClients();
  }

  /** Leaves in order, without failing a request. */
  async drain(): Promise<void> {
    this.#leave('draining');
    await this.#registration?.drain();
    await this.#close();
    this.#fate = 'drained';
  }

  /** Leaves at once, when nobody calls any more. Idempotent. */
  async stop(): Promise<void> {
    if (this.#fate !== 'killed' && this.#fate !== 'drained') await this.#close();
  }

  #leave(fate: Fate): void {
    this.#leftAt = performance.now();
    this.#fate = fate;
  }

  async #close(): Promise<void> {
    await this.#registry.close();
    if (this.#server.listening) this.#server.close();
    this.#server.closeAllConnections();
    await this.#closeClients();
    await this.#backend.close();
  }

  async #closeClients(): Promise<void> {
    await this.#logic.close();
    await this.discovery.close();
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const end = this.traffic.begin({ late: !this.#server.listening });
    response.once('close', () => end({ complete: response.writableFinished }));
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
    if (service !== this.service || order === undefined) return undefined;
    const { signal } = this.#dead;
    const body = method === 'GET' ? {} : ((await json(request)) as ShopRequest['body']); // the shop sends objects
    if (this.#extraMs > 0) await wait(this.#extraMs, undefined, { signal });
    return this.#logic.answer({ order, body, idempotencyKey: String(headers['idempotency-key']), signal });
  }
}

function reply(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
