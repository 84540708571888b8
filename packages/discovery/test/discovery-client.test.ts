import { BackendUnavailableError, ClosedError, ConfigValidationError } from '@sd/core';
import {
  DeadlineExceededError,
  DiscoveryClient,
  NoHealthyInstanceError,
  UnknownServiceError,
  type ServiceChange,
} from '../src/index.ts';
import { MemoryBackend } from '@sd/memory';
import { describe, expect, it, vi } from 'vitest';
import { failWith, startClient } from './fixture.ts';

describe('getInstances', () => {
  it('returns all instances of a service, whatever their status', async () => {
    const { client, publish } = startClient();
    await publish('orders', { port: 1 });
    await publish('orders', { port: 2, status: 'draining' });
    await publish('orders2', { port: 3 });

    const instances = await client.getInstances('orders');

    expect(instances.map(({ port }) => port)).toEqual([1, 2]);
  });

  it('returns only those that match a filter, and the next caller all again', async () => {
    const { client, publish } = startClient();
    await publish('orders', { port: 1, zone: 'a' });
    await publish('orders', { port: 2, zone: 'b' });

    expect(await client.getInstances('orders', { filter: { zone: 'b' } })).toMatchObject([{ port: 2 }]);
    expect(await client.getInstances('orders')).toHaveLength(2);
  });

  it('is empty for a service without instances', async () => {
    const { client } = startClient();
    expect(await client.getInstances('orders')).toEqual([]);
  });

  it('asks the backend once, and is fed by its watch from then on', async () => {
    const { client, backend, clock, publish } = startClient();
    const watch = vi.spyOn(backend, 'watch');
    const read = vi.spyOn(backend, 'getInstances');
    await client.getInstances('orders');

    await publish('orders', { port: 1 });
    await clock.advance(20);

    expect(await client.getInstances('orders')).toHaveLength(1);
    expect(watch).toHaveBeenCalledTimes(1);
    expect(read).not.toHaveBeenCalled();
  });

  it('rejects when the store says nothing in time, and says that it is still trying', async () => {
    const { client, clock, backend } = startClient();
    vi.spyOn(backend, 'watch').mockImplementation(() => {
      throw new Error('store is down');
    });

    const instances = client.getInstances('orders', { timeoutMs: 2_000 });
    const rejection = expect(instances).rejects.toThrow(BackendUnavailableError);
    await clock.advance(2_000);

    await rejection;
    await expect(instances).rejects.toMatchObject({ cause: { message: 'store is down' } });
  });

  it('ends at once when the caller loses interest', async () => {
    const { client, backend } = startClient();
    vi.spyOn(backend, 'watch').mockImplementation(async function* () {
      await new Promise(() => undefined);
      yield [];
    });
    const caller = new AbortController();

    const instances = client.getInstances('orders', { signal: caller.signal });
    caller.abort(new Error('never mind'));

    await expect(instances).rejects.toThrow('never mind');
  });

  it.each([
    ['service', () => startClient().client.getInstances('a/b')],
    ['service', () => startClient().client.getInstances('')],
    ['version', () => startClient().client.getInstances('orders', { filter: { version: '>>1' } })],
  ])('refuses a malformed %s', async (_what, act) => {
    await expect(act()).rejects.toThrow(ConfigValidationError);
  });
});

describe('getInstance', () => {
  it('chooses one of those that take requests, by the strategy', async () => {
    const { client, publish } = startClient();
    for (const port of [1, 2, 3]) await publish('orders', { port });
    await publish('orders', { port: 4, status: 'unhealthy' });

    const ports = new Set<number>();
    for (let turn = 0; turn < 3; turn += 1) ports.add((await client.getInstance('orders')).port);

    expect(ports).toEqual(new Set([1, 2, 3]));
  });

  it('gives the same instance for the same key with ip-hash', async () => {
    const { client, publish } = startClient();
    for (const port of [1, 2, 3]) await publish('orders', { port });

    const chosen = await Promise.all(
      Array.from({ length: 20 }, () =>
        client.getInstance('orders', { strategy: 'ip-hash', key: '192.0.2.7' }),
      ),
    );

    expect(new Set(chosen.map(({ id }) => id)).size).toBe(1);
  });

  it('leaves nothing in flight', async () => {
    const { client, publish } = startClient({ strategy: 'least-connections' });
    for (const port of [1, 2]) await publish('orders', { port });

    const ports = [];
    for (let turn = 0; turn < 4; turn += 1) ports.push((await client.getInstance('orders')).port);

    expect([...ports].sort()).toEqual([1, 1, 2, 2]);
  });

  it('says that a service is unknown', async () => {
    const { client } = startClient();
    await expect(client.getInstance('orders')).rejects.toThrow(UnknownServiceError);
  });

  it('counts the statuses when none of the instances may be called', async () => {
    const { client, publish } = startClient();
    await publish('orders', { port: 1, status: 'unhealthy' });
    await publish('orders', { port: 2, status: 'unhealthy' });
    await publish('orders', { port: 3, status: 'draining' });

    const chosen = client.getInstance('orders');

    await expect(chosen).rejects.toThrow(NoHealthyInstanceError);
    await expect(chosen).rejects.toThrow(
      'No healthy instance of "orders" (3 known: 2 unhealthy, 1 draining)',
    );
  });

  it('tells a filter that matches nothing from instances that are ill', async () => {
    const { client, publish } = startClient();
    await publish('orders', { port: 1 });

    const chosen = client.getInstance('orders', { filter: { zone: 'nowhere' } });

    await expect(chosen).rejects.toThrow('No instance of "orders" matches the filter (1 known)');
  });
});

describe('state of a service', () => {
  it('is not disturbed by calls to another one', async () => {
    const { client, publish } = startClient();
    for (const port of [1, 2]) await publish('orders', { port });
    for (const port of [1, 2]) await publish('payments', { port });

    const orders = [];
    const payments = [];
    for (let turn = 0; turn < 4; turn += 1) {
      orders.push((await client.getInstance('orders')).port);
      payments.push((await client.getInstance('payments')).port);
    }

    expect(orders.slice(0, 2)).toEqual(orders.slice(2));
    expect(new Set(orders)).toEqual(new Set([1, 2]));
    expect(new Set(payments)).toEqual(new Set([1, 2]));
  });
});

describe('watch', () => {
  async function next(changes: AsyncGenerator<ServiceChange, void>): Promise<Record<string, unknown>> {
    const { value } = await changes.next();
    if (value === undefined) throw new Error('the watch ended');
    const ports = (list: ServiceChange['added']) => list.map(({ port }) => port);
    return {
      state: value.view.state,
      added: ports(value.added),
      updated: ports(value.updated),
      removed: ports(value.removed),
    };
  }

  it('tells what was added, updated and removed', async () => {
    const { client, clock, publish } = startClient();
    const first = await publish('orders', { port: 1 });
    const second = await publish('orders', { port: 2 });
    const changes = client.watch('orders');
    expect(await next(changes)).toEqual({ state: 'live', added: [1, 2], updated: [], removed: [] });

    await first.update({ ...first.instance, weight: 5 });
    await second.release();
    await publish('orders', { port: 3 });
    await clock.advance(20);

    expect(await next(changes)).toEqual({ state: 'live', added: [3], updated: [1], removed: [2] });
    await changes.return();
  });

  it('folds what a slow reader missed into one change', async () => {
    const { client, clock, publish } = startClient();
    const changes = client.watch('orders');
    expect(await next(changes)).toMatchObject({ added: [] });

    for (const port of [1, 2, 3]) {
      await publish('orders', { port });
      await clock.advance(100);
    }

    expect(await next(changes)).toMatchObject({ added: [1, 2, 3] });
    await changes.return();
  });

  it('tells when the store is lost and keeps what was known', async () => {
    const { client, backend, clock, publish } = startClient();
    await publish('orders', { port: 1 });
    const changes = client.watch('orders');
    expect(await next(changes)).toMatchObject({ state: 'live', added: [1] });

    await backend.close();

    expect(await next(changes)).toEqual({ state: 'stale', added: [], updated: [], removed: [] });
    expect(client.peek('orders')).toMatchObject({
      state: 'stale',
      since: clock.now(),
      instances: [{ port: 1 }],
    });
    expect((await client.getInstance('orders')).port).toBe(1);
    await changes.return();
  });

  it('ends when its signal aborts', async () => {
    const { client } = startClient();
    const reader = new AbortController();
    const changes = client.watch('orders', { signal: reader.signal });
    await changes.next();

    reader.abort();

    expect(await changes.next()).toMatchObject({ done: true });
  });

  it('throws when the client is closed', async () => {
    const { client } = startClient();
    const changes = client.watch('orders');
    await changes.next();

    await client.close();

    await expect(changes.next()).rejects.toThrow(ClosedError);
  });
});

describe('services', () => {
  it('lists the names of all services, sorted', async () => {
    const { client, publish } = startClient();
    await publish('payments', { port: 1 });
    await publish('orders', { port: 2 });

    expect(await client.services()).toEqual(['orders', 'payments']);
  });
});

describe('peek', () => {
  it('neither waits nor watches', async () => {
    const { client, backend } = startClient();
    const watch = vi.spyOn(backend, 'watch');

    expect(client.peek('orders')).toBeUndefined();
    expect(watch).not.toHaveBeenCalled();
  });
});

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
    ['zone', { backend, zone: 7 }],
    ['follow.coalesceMs', { backend, follow: { coalesceMs: -1 } }],
    ['follow.coalesce', { backend, follow: { coalesce: 1 } }],
    ['logger', { backend, logger: {} }],
    ['strategie', { backend, strategie: 'random' }],
  ])('is named: %s', (field, options) => {
    // @ts-expect-error -- wrong on purpose
    expect(() => new DiscoveryClient(options)).toThrow(
      expect.objectContaining({ code: 'ERR_SD_CONFIG', field }),
    );
  });
});
