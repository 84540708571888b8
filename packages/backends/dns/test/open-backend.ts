import { onTestFinished } from 'vitest';
import type { DiscoveryBackend, ServiceInstance } from '@sd/core';
import { silentLogger, WatchRecorder } from '@sd/testkit';
import { DnsServer } from '../../../../tools/servers/index.ts';
import { DnsBackend, type DnsBackendOptions } from '../src/index.ts';

/** A server that is gone after the test. */
export async function openServer(options?: { readonly ttl?: number }): Promise<DnsServer> {
  const server = await DnsServer.start(options);
  onTestFinished(() => server.close());
  return server;
}

/** A backend that asks this server, closed after the test. */
export function openBackend(
  { address }: { readonly address: string },
  options: Partial<DnsBackendOptions> = {},
): DnsBackend {
  return openWith({ servers: [address], minIntervalMs: 10, maxIntervalMs: 50, ...options });
}

export function openWith(options: Partial<DnsBackendOptions>): DnsBackend {
  const backend = new DnsBackend({ name: '_{service}._tcp.test.', logger: silentLogger, ...options });
  onTestFinished(() => backend.close());
  return backend;
}

/** A watch that has its first snapshot, and ends with the test. */
export async function openWatch(backend: DiscoveryBackend, service = 'orders'): Promise<WatchRecorder> {
  const watch = new WatchRecorder(backend, service);
  onTestFinished(() => watch.close());
  await watch.next(() => true, { timeoutMs: 5_000 });
  return watch;
}

/** Publishes `10.0.0.n:8080` for each `n`, as the targets `web-n.test` of `_orders._tcp.test`. */
export function publish(server: DnsServer, ...numbers: readonly number[]): void {
  for (const n of numbers) server.set(`web-${n}.test`, 'A', { data: hostOf(n) });
  server.set('_orders._tcp.test', 'SRV', ...numbers.map((n) => ({ data: srv(n) })));
}

export const srv = (n: number, more: { readonly weight?: number; readonly priority?: number } = {}) => {
  return { target: `web-${n}.test`, port: 8080, weight: 1, priority: 1, ...more };
};

export const hostOf = (n: number): string => `10.0.${n >> 8}.${n & 255}`;

export const hosts = (instances: readonly ServiceInstance[] | undefined): readonly string[] =>
  (instances ?? []).map(({ host }) => host).sort();
