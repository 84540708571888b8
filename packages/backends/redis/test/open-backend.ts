import { onTestFinished } from 'vitest';
import { createInstance, type ServiceInstance } from '@sd/core';
import { silentLogger, WatchRecorder } from '@sd/testkit';
import { RedisServer, type RedisServerOptions } from '../../../../tools/servers/index.ts';
import { RedisBackend, type RedisBackendOptions } from '../src/index.ts';

/** A server that is gone after the test. */
export async function openServer(options: RedisServerOptions = {}): Promise<RedisServer> {
  const server = await RedisServer.start({ persistent: false, ...options });
  onTestFinished(() => server.stop());
  return server;
}

/** A backend that is closed after the test. */
export function openBackend(options: RedisBackendOptions): RedisBackend {
  const backend = new RedisBackend({ timeoutMs: 1_000, pollMs: 300, logger: silentLogger, ...options });
  onTestFinished(() => backend.close());
  return backend;
}

/** A watch that has its first snapshot, and ends with the test. */
export async function openWatch(backend: RedisBackend, service = 'orders'): Promise<WatchRecorder> {
  const watch = new WatchRecorder(backend, service);
  onTestFinished(() => watch.close());
  await watch.next(() => true, { timeoutMs: 5_000 });
  return watch;
}

export function instance(n: number, service = 'orders'): ServiceInstance {
  return createInstance({ service, id: `${service}-${n}`, host: `10.0.0.${n}`, port: 8080 }, 0);
}

export const ids = (instances: readonly ServiceInstance[]): readonly string[] =>
  instances.map(({ id }) => id).sort();
