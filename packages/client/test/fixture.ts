import { createInstance, type DiscoveryLogger, type ServiceInstanceInit } from '@sd/core';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { onTestFinished } from 'vitest';
import { DiscoveryClient, ServiceClient, type ServiceClientOptions } from '../src/index.ts';

/** A service "orders" on real sockets: each handler is an instance of it. */
export async function startService(
  handlers: readonly RequestListener[],
  options: Partial<ServiceClientOptions> = {},
) {
  const backend = new MemoryBackend({ store: new MemoryStore() });
  const discovery = new DiscoveryClient({ backend, logger: silent });
  const client = new ServiceClient({ service: 'orders', discovery, ...options });
  const publish = (init: Partial<ServiceInstanceInit> & { port: number }) =>
    backend.register(createInstance({ service: 'orders', host: '127.0.0.1', ...init }, Date.now()), {
      ttl: 60_000,
    });
  onTestFinished(async () => {
    await client.close();
    await discovery.close();
    await backend.close();
  });
  const ports = [];
  for (const handler of handlers) {
    const port = await listen(handler);
    ports.push(port);
    await publish({ port });
  }
  return { client, discovery, publish, ports };
}

/** @returns the port of a server that is gone when the test ends */
export async function listen(handler: RequestListener, host = '127.0.0.1'): Promise<number> {
  const server = createServer(handler).listen(0, host);
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  return portOf(server.address());
}

/** A port that refuses connections. */
export async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = portOf(server.address());
  server.close();
  await once(server, 'close');
  return port;
}

export function portOf(address: string | AddressInfo | null): number {
  if (address === null || typeof address === 'string') throw new Error('not a TCP server');
  return address.port;
}

/** Answers with what it received. */
export const echo: RequestListener = (request, response) => {
  void buffer(request).then((body) => {
    answer(response, 200, {
      method: request.method,
      url: request.url,
      headers: request.headers,
      body: body.toString(),
    });
  });
};

export function answer(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}

export const answering =
  (status: number, body: unknown = {}, headers: Record<string, string> = {}): RequestListener =>
  (_request, response) =>
    answer(response, status, body, headers);

/** Counts the requests that reach a handler. */
export function counted(handler: RequestListener): {
  readonly handler: RequestListener;
  readonly count: () => number;
} {
  let count = 0;
  return {
    handler: (request: IncomingMessage, response: ServerResponse) => {
      count += 1;
      handler(request, response);
    },
    count: () => count,
  };
}

const silent: DiscoveryLogger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};
