import type { DiscoveryBackend } from '@sd/core';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { Server as TcpServer } from 'node:net';
import { onTestFinished } from 'vitest';
import { DiscoveryApp, type DiscoveryAppOptions } from '../src/index.ts';

/** A store of its own, which ends with the test. */
export function makeBackend(): MemoryBackend {
  const backend = new MemoryBackend({ store: new MemoryStore() });
  onTestFinished(() => backend.close());
  return backend;
}

/** As Kubernetes and DNS are. */
export function makeReadOnlyBackend(): DiscoveryBackend {
  const backend = makeBackend();
  return {
    name: 'read-only',
    malformed: backend.malformed,
    listServices: (options) => backend.listServices(options),
    getInstances: (service, options) => backend.getInstances(service, options),
    watch: (service, options) => backend.watch(service, options),
    close: () => backend.close(),
    [Symbol.asyncDispose]: () => backend.close(),
  };
}

/** An app that gives consumers no time to hear of a drain, and stops when the test ends. */
export function makeApp({ backend = makeBackend(), ...options }: Partial<DiscoveryAppOptions> = {}) {
  const app = new DiscoveryApp({ backend, registry: { drain: { propagationMs: 0 } }, ...options });
  onTestFinished(() => app.stop());
  return app;
}

/** Answers with the path that it is asked for; listens nowhere yet. */
export function echoServer(
  handler: RequestListener = (request, response) => response.end(request.url),
): Server {
  return createServer(handler);
}

/** What a function throws. */
export function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  throw new Error('It should have thrown');
}

/** Something that a test brings about. */
export function event() {
  const signal = new AbortController();
  const happened = new Promise<void>((resolve) => signal.signal.addEventListener('abort', () => resolve()));
  return { happened, happen: () => signal.abort() };
}

export function portOf(server: TcpServer): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not a TCP server');
  return address.port;
}
