import { DiscoveryClient, type DiscoveryClientOptions } from '@sd/client';
import { createInstance, type DiscoveryLogger, type Lease, type ServiceInstanceInit } from '@sd/core';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { once } from 'node:events';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { DiscoveryAgent, type DiscoveryAgentOptions } from '../src/index.ts';

export interface Instance {
  readonly port: number;
  readonly server: Server;
  readonly lease: Lease;
  /** Requests that it has received. */
  readonly requests: readonly string[];
}

/** A service "orders" on real sockets: each handler is an instance of it. */
export async function startService(
  handlers: readonly RequestListener[],
  options: Partial<DiscoveryAgentOptions> = {},
  discoveryOptions: Partial<DiscoveryClientOptions> = {},
) {
  const backend = new MemoryBackend({ store: new MemoryStore() });
  const discovery = new DiscoveryClient({ backend, logger: silent, ...discoveryOptions });
  const agent = new DiscoveryAgent({ discovery, ...options });
  const publish = (init: Partial<ServiceInstanceInit> & { readonly port: number }): Promise<Lease> =>
    backend.register(createInstance({ service: 'orders', host: '127.0.0.1', ...init }, Date.now()), {
      ttl: 60_000,
    });
  onTestFinished(async () => {
    await agent.destroy();
    await discovery.close();
    await backend.close();
  });
  const add = async (
    handler: RequestListener,
    init: Partial<ServiceInstanceInit> = {},
  ): Promise<Instance> => {
    const requests: string[] = [];
    const server = await listen((request, response) => {
      requests.push(`${request.method ?? ''} ${request.url ?? ''}`);
      handler(request, response);
    });
    const port = portOf(server);
    return { port, server, requests, lease: await publish({ port, ...init }) };
  };
  const instances: Instance[] = [];
  for (const handler of handlers) instances.push(await add(handler));
  const at = (place: number): Instance => {
    const instance = instances[place];
    if (instance === undefined) throw new Error(`there is no instance ${place}`);
    return instance;
  };
  return { agent, discovery, backend, publish, add, at, instances };
}

/** Gone when the test ends. */
export async function listen(handler: RequestListener): Promise<Server> {
  const server = createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    if (!server.listening) return;
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return server;
}

export function portOf(server: { address(): AddressInfo | string | null }): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not a TCP server');
  return address.port;
}

/** @returns how many connections it has been asked for since */
export function countConnections({ server }: Instance): () => number {
  let count = 0;
  server.on('connection', () => (count += 1));
  return () => count;
}

/** Answers with what it received. */
export const echo: RequestListener = (request, response) => {
  void buffer(request).then((body) => {
    response.end(
      JSON.stringify({
        method: request.method,
        url: request.url,
        headers: request.headers,
        body: body.toString(),
      }),
    );
  });
};

export const answering =
  (status: number, body = '', headers: Record<string, string> = {}): RequestListener =>
  (request, response) => {
    request.resume();
    response.writeHead(status, headers).end(body);
  };

/** Says that so many bytes will come, and sends four of them. */
export const breakingOff =
  (length: number): RequestListener =>
  (request, response) => {
    request.resume();
    response.writeHead(200, { 'content-length': length }).write('half');
    setImmediate(() => response.socket?.destroy());
  };

/** Never answers. */
export const hanging: RequestListener = () => undefined;

export const silent: DiscoveryLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
