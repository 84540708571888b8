import { onTestFinished } from 'vitest';
import type { ServiceInstance } from '@sd/core';
import { silentLogger, ViewRecorder, WatchRecorder, realTime } from '@sd/testkit';
import { seededRng } from '@sd/core';
import { KubernetesApi } from '../../../../tools/servers/index.ts';
import { KubernetesBackend, type KubernetesBackendOptions } from '../src/index.ts';

/** A test API server in this process that is gone after the test. */
export async function openApi(...args: Parameters<typeof KubernetesApi.listen>): Promise<KubernetesApi> {
  const api = await KubernetesApi.listen(...args);
  onTestFinished(() => api.close());
  return api;
}

/** A backend for the namespace `demo` that is closed after the test. */
export function openBackend(options: KubernetesBackendOptions): KubernetesBackend {
  const backend = new KubernetesBackend({
    namespace: 'demo',
    timeoutMs: 1_000,
    logger: silentLogger,
    ...options,
  });
  onTestFinished(() => backend.close());
  return backend;
}

/** A watch that has its first snapshot, and ends with the test. */
export async function openWatch(backend: KubernetesBackend, service = 'web'): Promise<WatchRecorder> {
  const watch = new WatchRecorder(backend, service);
  onTestFinished(() => watch.close());
  await watch.next(() => true, { timeoutMs: 5_000 });
  return watch;
}

/** A view that has been in sync, and ends with the test. */
export async function openView(backend: KubernetesBackend, service = 'web'): Promise<ViewRecorder> {
  const view = new ViewRecorder(backend, service, { time: realTime(), rng: seededRng(1), ttl: 3_000 });
  onTestFinished(() => view.close());
  await view.shows(() => true, 5_000);
  return view;
}

/** The `n`-th slice of a service, with endpoints 10.1.`n`.1 and so on, as the recordings have it. */
export function slice(n: number, { service = 'web', endpoints = 2, ready = true } = {}) {
  return {
    metadata: { name: `${service}-${n}`, labels: { 'kubernetes.io/service-name': service } },
    addressType: 'IPv4',
    endpoints: Array.from({ length: endpoints }, (_, index) => endpoint(n, index + 1, { service, ready })),
    ports: [{ name: 'http', protocol: 'TCP', port: 8080 }],
  };
}

export function endpoint(n: number, index: number, { service = 'web', ready = true } = {}) {
  return {
    addresses: [`10.1.${n}.${index}`],
    conditions: { ready, serving: true, terminating: false },
    targetRef: { kind: 'Pod', namespace: 'demo', name: `${service}-${n}-${index}` },
    nodeName: `n${index}`,
    zone: `z${index}`,
  };
}

export const reader = { token: 'readertoken' };

export const ids = (instances: readonly ServiceInstance[]): readonly string[] =>
  instances.map(({ id }) => id).sort();

export const hosts = (instances: readonly ServiceInstance[]): readonly string[] =>
  instances.map(({ host }) => host).sort();
