import { onTestFinished } from 'vitest';
import { createInstance, seededRng, type ServiceInstance } from '@sd/core';
import { FaultProxy, realTime, silentLogger, ViewRecorder, WatchRecorder } from '@sd/testkit';
import { EtcdServer, type EtcdServerOptions } from '../../../../tools/servers/index.ts';
import { EtcdBackend, type EtcdBackendOptions } from '../src/index.ts';

/** A server that is gone after the test. */
export async function openServer(options: EtcdServerOptions = {}): Promise<EtcdServer> {
  const server = await EtcdServer.start(options);
  onTestFinished(() => server.stop());
  return server;
}

/** A backend that is closed after the test. */
export function openBackend(options: EtcdBackendOptions): EtcdBackend {
  const backend = new EtcdBackend({ timeoutMs: 1_000, logger: silentLogger, ...options });
  onTestFinished(() => backend.close());
  return backend;
}

/** A way to a server that can be disturbed, until the test ends. */
export async function openProxy({ host, port }: EtcdServer): Promise<FaultProxy> {
  const proxy = await FaultProxy.listen({ host, port });
  onTestFinished(() => proxy.close());
  return proxy;
}

export const urlOf = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  `http://${host}:${port}`;

/** A watch that has its first snapshot, and ends with the test. */
export async function openWatch(backend: EtcdBackend, service = 'orders'): Promise<WatchRecorder> {
  const watch = new WatchRecorder(backend, service);
  onTestFinished(() => watch.close());
  await watch.next(() => true, { timeoutMs: 5_000 });
  return watch;
}

/** A view as consumers have it, in sync, until the test ends. */
export async function openView(backend: EtcdBackend, service = 'orders'): Promise<ViewRecorder> {
  const view = new ViewRecorder(backend, service, { time: realTime(), rng: seededRng(1), ttl: 1_000 });
  onTestFinished(() => view.close());
  await view.shows(() => true, 5_000);
  return view;
}

export function instance(n: number, service = 'orders'): ServiceInstance {
  return createInstance({ service, id: `${service}-${n}`, host: `10.0.0.${n}`, port: 8080 }, 0);
}

export const ids = (instances: readonly ServiceInstance[]): readonly string[] =>
  instances.map(({ id }) => id).sort();

/** All text in an error, its causes included, as a logger could print it. */
export function everythingIn(error: unknown): string {
  const seen = new Set<unknown>();
  const text = (value: unknown): string => {
    if (typeof value !== 'object' || value === null) return String(value);
    if (seen.has(value)) return '';
    seen.add(value);
    return Object.getOwnPropertyNames(value)
      .map((name) => `${name}: ${text(Reflect.get(value, name))}`)
      .join('\n');
  };
  return text(error);
}
