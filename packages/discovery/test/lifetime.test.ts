import { BackendUnavailableError, ClosedError } from '@sd/core';
import { DeadlineExceededError } from '../src/index.ts';

import { describe, expect, it, vi } from 'vitest';
import { failWith, startClient } from './fixture.ts';

describe('an idle service', () => {
  it('is no longer watched', async () => {
    const { client, clock } = startClient({ idleMs: 1_000 });
    await client.getInstances('orders');

    await clock.advance(2_000);

    expect(client.peek('orders')).toBeUndefined();
    expect(clock.pendingTimers).toBe(0);
  });

  it('is watched again when it is needed again', async () => {
    const { client, clock, publish } = startClient({ idleMs: 1_000 });
    await client.getInstances('orders');
    await clock.advance(2_000);
    await publish('orders', { port: 1 });

    expect(await client.getInstances('orders')).toHaveLength(1);
  });

  it('stays while it is used, read or called', async () => {
    const { client, clock, publish } = startClient({ idleMs: 1_000 });
    await publish('used', { port: 1 });
    await publish('called', { port: 1 });
    const changes = client.watch('read');
    await changes.next();
    let answer = (): void => undefined;
    const call = client.call('called', () => new Promise<void>((resolve) => (answer = resolve)), {
      attemptTimeoutMs: 1e6,
      deadlineMs: 1e6,
    });

    for (let step = 0; step < 10; step += 1) {
      await client.getInstances('used');
      await clock.advance(500);
    }

    expect(['used', 'read', 'called'].map((service) => client.peek(service)?.state)).toEqual([
      'live',
      'live',
      'live',
    ]);
    answer();
    await call;
    await changes.return();
  });
});

describe('services in use', () => {
  it('are listed with how the client does with them', async () => {
    const { client, clock, backend, publish } = startClient({ idleMs: 60_000 });
    expect(client.inUse()).toEqual([]);
    await publish('orders', { port: 1 });
    await client.getInstances('orders');
    client.isolate('users');

    expect(client.inUse()).toMatchObject([
      { service: 'orders', outOfSyncMs: 0, breaker: 'closed', retriesLeft: 20, view: { state: 'live' } },
      { service: 'users', breaker: 'isolated' },
    ]);

    await backend.close();
    await clock.advance(0);
    await clock.advance(1_500);
    expect(client.inUse()[0]).toMatchObject({ outOfSyncMs: 1_500, view: { state: 'stale' } });
  });

  it('are none once the client is closed', async () => {
    const { client } = startClient();
    await client.getInstances('orders');
    await client.close();
    expect(client.inUse()).toEqual([]);
  });
});

describe('a service that somebody waits for', () => {
  it('is not dropped as idle before its first snapshot', async () => {
    const { client, clock, backend } = startClient({ idleMs: 100 });
    vi.spyOn(backend, 'watch').mockImplementation(() => {
      throw new Error('store is down');
    });
    const call = client.call('orders', () => 1, { deadlineMs: 1_000 });
    const lookup = client.getInstances('orders', { timeoutMs: 1_000 });
    const ends = Promise.all([
      expect(call).rejects.toThrow(DeadlineExceededError),
      expect(lookup).rejects.toThrow(BackendUnavailableError),
    ]);
    await clock.advance(1_000);
    await ends;
  });

  it('is not dropped as idle between two attempts', async () => {
    const { client, clock, publish } = startClient({ idleMs: 100 });
    await publish('orders', { port: 1 });
    let attempts = 0;
    const call = client.call('orders', () => (attempts += 1) > 1 || failWith('ECONNRESET'), {
      idempotent: true,
      classify: () => ({ outcome: 'overload', retryable: true, retryAfterMs: 1_000 }),
    });

    await clock.advance(900);
    expect(client.peek('orders')?.state).toBe('live');

    await clock.advance(100);
    expect(await call).toBe(true);
  });
});

describe('close', () => {
  it('refuses everything afterwards', async () => {
    const { client } = startClient();
    await client.close();
    await client.close();

    await expect(client.getInstances('orders')).rejects.toThrow(ClosedError);
    await expect(client.getInstance('orders')).rejects.toThrow(ClosedError);
    await expect(client.services()).rejects.toThrow(ClosedError);
    await expect(client.call('orders', () => 1)).rejects.toThrow(ClosedError);
    await expect(client.watch('orders').next()).rejects.toThrow(ClosedError);
  });

  it('leaves no timer', async () => {
    const { client, clock, publish } = startClient();
    await publish('orders', { port: 1 });
    await client.getInstances('orders');
    const before = clock.pendingTimers;

    await client.close();

    expect(before).toBeGreaterThan(clock.pendingTimers);
    expect(clock.pendingTimers).toBe(2); // the memory store's expiry and the backend's renewal
  });

  it('leaves the backend open', async () => {
    const { client, backend, publish } = startClient();
    await publish('orders', { port: 1 });
    await client.close();
    expect(await backend.getInstances('orders')).toHaveLength(1);
  });
});
