import { ClosedError } from '@sd/core';
import type { ServiceChange } from '../src/index.ts';

import { describe, expect, it } from 'vitest';
import { startClient } from './fixture.ts';

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
