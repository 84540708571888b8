import { DiscoveryClient } from '../src/index.ts';
import { MemoryBackend } from '@sd/memory';
import { describe, expect, it } from 'vitest';
import { startClient } from './fixture.ts';

describe('a wrong option of a lookup', () => {
  it.each([
    ['timeoutMs', (client: DiscoveryClient) => client.getInstances('orders', { timeoutMs: -1 })],
    ['timeoutMs', (client: DiscoveryClient) => client.getInstance('orders', { timeoutMs: Number.NaN })],
    // @ts-expect-error -- wrong on purpose
    ['filtre', (client: DiscoveryClient) => client.getInstances('orders', { filtre: {} })],
    // @ts-expect-error -- wrong on purpose
    ['key', (client: DiscoveryClient) => client.getInstance('orders', { key: 5 })],
    // @ts-expect-error -- wrong on purpose
    ['signal', (client: DiscoveryClient) => client.watch('orders', { signal: 5 }).next()],
    // @ts-expect-error -- wrong on purpose
    ['signal', (client: DiscoveryClient) => client.services({ signal: 5 })],
    // @ts-expect-error -- wrong on purpose
    ['', (client: DiscoveryClient) => client.services(null)],
    // @ts-expect-error -- wrong on purpose
    ['attempt', (client: DiscoveryClient) => client.call('orders', 5)],
    ['service', (client: DiscoveryClient) => client.call('a/b', () => 1)],
  ])('is named: %s', async (field, act) => {
    await expect(act(startClient().client)).rejects.toMatchObject({ code: 'ERR_SD_CONFIG', field });
  });
});

describe('a wrong option', () => {
  const backend = new MemoryBackend();
  it.each([
    ['backend', { backend: {} }],
    ['strategy', { backend, strategy: 'fastest' }],
    ['deadlineMs', { backend, deadlineMs: 0 }],
    ['attemptTimeoutMs', { backend, attemptTimeoutMs: '5s' }],
    ['retries', { backend, retries: 1.5 }],
    ['idleMs', { backend, idleMs: -1 }],
    ['retryBudget.ratio', { backend, retryBudget: { ratio: -1 } }],
    ['retryBudget.ratio', { backend, retryBudget: { ratio: 20 } }],
    ['outliers', { backend, outliers: true }],
    ['outliers.latency.factor', { backend, outliers: { latency: { factor: '3' } } }],
    ['outliers.latencies', { backend, outliers: { latencies: false } }],
    ['zone', { backend, zone: 7 }],
    ['follow.coalesceMs', { backend, follow: { coalesceMs: -1 } }],
    ['follow.coalesce', { backend, follow: { coalesce: 1 } }],
    ['balancing.maxInFlight', { backend, balancing: { maxInFlight: 0 } }],
    ['balancing.slowStart.windowMs', { backend, balancing: { slowStart: { windowMs: '10s' } } }],
    ['balancing.panic', { backend, balancing: { panic: 0.5 } }],
    ['logger', { backend, logger: {} }],
    ['strategie', { backend, strategie: 'random' }],
  ])('is named: %s', (field, options) => {
    // @ts-expect-error -- wrong on purpose
    expect(() => new DiscoveryClient(options)).toThrow(
      expect.objectContaining({ code: 'ERR_SD_CONFIG', field }),
    );
  });
});
