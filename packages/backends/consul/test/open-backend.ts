import { onTestFinished } from 'vitest';
import { createInstance, type ServiceInstance, type ServiceInstanceInit } from '@sd/core';
import { silentLogger, WatchRecorder } from '@sd/testkit';
import { ConsulServer, type ConsulServerOptions } from '../../../../tools/servers/index.ts';
import { ConsulBackend, type ConsulBackendOptions } from '../src/index.ts';

/** A server that is gone after the test. */
export async function openServer(options: ConsulServerOptions = {}): Promise<ConsulServer> {
  const server = await ConsulServer.start({ persistent: false, ...options });
  onTestFinished(() => server.stop());
  return server;
}

/** A backend that is closed after the test. */
export function openBackend(options: ConsulBackendOptions): ConsulBackend {
  const backend = new ConsulBackend({ timeoutMs: 1_500, logger: silentLogger, ...options });
  onTestFinished(() => backend.close());
  return backend;
}

/** A watch that has its first snapshot, and ends with the test. */
export async function openWatch(backend: ConsulBackend, service = 'orders'): Promise<WatchRecorder> {
  const watch = new WatchRecorder(backend, service);
  onTestFinished(() => watch.close());
  await watch.next(() => true, { timeoutMs: 5_000 });
  return watch;
}

export function instance(n: number, fields: Partial<ServiceInstanceInit> = {}): ServiceInstance {
  return createInstance(
    { service: 'orders', id: `orders-${n}`, host: `10.0.0.${n}`, port: 8080, ...fields },
    1,
  );
}
