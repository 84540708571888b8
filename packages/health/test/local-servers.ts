import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import type { Http2Server } from 'node:http2';
import { createServer as createTcpServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach } from 'vitest';
import type { CheckTarget } from '../src/health-check.ts';

const cleanups: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(cleanups.splice(0).map((cleanup) => cleanup()));
});

export interface LocalServer {
  readonly target: CheckTarget;
  /** Connections that are open now. */
  readonly connections: ReadonlySet<Socket>;
  /** Connections there ever were. */
  accepted(): number;
}

/** Starts the server on a free port; it is closed, with its connections, after the test. */
export async function listen(server: Server | Http2Server, host = '127.0.0.1'): Promise<LocalServer> {
  const connections = new Set<Socket>();
  let accepted = 0;
  server.on('connection', (socket: Socket) => {
    accepted += 1;
    connections.add(socket);
    socket.on('error', () => undefined); // of a client that goes away at once
    socket.once('close', () => connections.delete(socket));
  });
  server.listen(0, host);
  await once(server, 'listening');
  cleanups.push(async () => {
    for (const socket of connections) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { target: { host, port }, connections, accepted: () => accepted };
}

export function listenHttp(listener: RequestListener): Promise<LocalServer> {
  return listen(createHttpServer(listener));
}

export function listenTcp(listener: (socket: Socket) => void): Promise<LocalServer> {
  return listen(createTcpServer(listener));
}

/** A target at which nothing listens. */
export async function deadTarget(): Promise<CheckTarget> {
  const server = createTcpServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return { host: '127.0.0.1', port };
}

/** A signal that nobody aborts. */
export const unaborted = (): AbortSignal => new AbortController().signal;
