import { onTestFinished } from 'vitest';
import { createInstance, systemClock, type ServiceInstance } from '@sd/core';
import { silentLogger, WatchRecorder } from '@sd/testkit';
import { ZooKeeperServer, type ZooKeeperServerOptions } from '../../../../tools/servers/index.ts';
import { ZooKeeperBackend, type ZooKeeperBackendOptions } from '../src/index.ts';
import { Connection, type ConnectionOptions } from '../src/protocol/connection.ts';
import { newSession } from '../src/protocol/handshake.ts';
import { Stranger } from './stranger.ts';

/** A server that is gone after the test. */
export async function openServer(options: ZooKeeperServerOptions = {}): Promise<ZooKeeperServer> {
  const server = await ZooKeeperServer.start(options);
  onTestFinished(() => server.stop());
  return server;
}

export const addressOf = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  `${host}:${port}`;

export const strangerAt = (server: ZooKeeperServer): Stranger => new Stranger(() => [server]);

/** A backend that is closed after the test. */
export function openBackend(
  at: { readonly host: string; readonly port: number },
  options: ZooKeeperBackendOptions = {},
): ZooKeeperBackend {
  const backend = new ZooKeeperBackend({
    connectionString: addressOf(at),
    timeoutMs: 5_000,
    logger: silentLogger,
    ...options,
  });
  onTestFinished(() => backend.close());
  return backend;
}

/** A watch that has its first snapshot, and ends with the test. */
export async function openWatch(backend: ZooKeeperBackend, service = 'orders'): Promise<WatchRecorder> {
  const watch = new WatchRecorder(backend, service);
  onTestFinished(() => watch.close());
  await watch.next(() => true, { timeoutMs: 5_000 });
  return watch;
}

/** A connection that is closed after the test. */
export async function openConnection(
  { host, port }: { readonly host: string; readonly port: number },
  options: Partial<ConnectionOptions> = {},
): Promise<Connection> {
  const limits = { sessionTimeoutMs: 5_000, connectTimeoutMs: 2_000, silenceMs: 2_000 };
  const connection = await Connection.open(
    { host, port, session: newSession(), clock: systemClock, ...limits, ...options },
    new AbortController().signal,
  );
  onTestFinished(() => connection.close());
  return connection;
}

export function instance(n: number, service = 'orders'): ServiceInstance {
  return createInstance({ service, id: `${service}-${n}`, host: `10.0.0.${n}`, port: 8080 }, 0);
}

export const ids = (instances: readonly ServiceInstance[]): readonly string[] =>
  instances.map(({ id }) => id).sort();
