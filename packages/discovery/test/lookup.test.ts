import { BackendUnavailableError, ConfigValidationError } from '@sd/core';
import { NoHealthyInstanceError, UnknownServiceError } from '../src/index.ts';

import { describe, expect, it, vi } from 'vitest';
import { startClient } from './fixture.ts';

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

  it('says who was taken out here, although published as healthy', async () => {
    const none = { name: 'none', apply: (_all: unknown, weights: Float64Array) => void weights.fill(0, 2) };
    const { client, publish } = startClient({ balancing: { layers: [none] } });
    for (const port of [1, 2, 3]) await publish('orders', { port });
    const taken = (await client.getInstances('orders')).slice(0, 2);
    for (const { id } of taken) client.isolate('orders', id);

    await expect(client.getInstance('orders')).rejects.toThrow(
      'No healthy instance of "orders" (3 known: 2 out-of-service, 1 healthy but left out by a layer)',
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
