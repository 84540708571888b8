import type { Layer } from '@sd/load-balancers';
import { describe, expect, it } from 'vitest';
import { OverloadedError, type Attempt } from '../src/index.ts';
import { failWith, hang, startClient } from './fixture.ts';

describe('the balancing of a client', () => {
  it('keeps an instance from having more calls in flight than it may, and refuses the rest at once', async () => {
    const { client, clock, publish } = startClient({ balancing: { maxInFlight: 2 } });
    for (const port of [1, 2]) await publish('orders', { port });
    await client.getInstances('orders');
    const end = new AbortController();
    const underWay = Array.from({ length: 4 }, () => client.call('orders', hang, { signal: end.signal }));
    const settled = Promise.allSettled(underWay);
    await clock.advance(0);

    const refused = await client.call('orders', hang).catch((error: unknown) => error);

    expect(refused).toBeInstanceOf(OverloadedError);
    expect(refused).toMatchObject({
      code: 'ERR_SD_OVERLOADED',
      message:
        'Service "orders" is overloaded: each usable instance has as many calls in flight as allowed (maxInFlight)',
    });
    end.abort();
    await settled;
    await expect(client.call('orders', () => 'ok')).resolves.toBe('ok');
  });

  it('lets a new instance warm up', async () => {
    const { client, clock, publish } = startClient({ balancing: { slowStart: { windowMs: 10_000 } } });
    for (const port of [1, 2]) await publish('orders', { port });
    await client.getInstances('orders');
    await clock.advance(20_000);
    await publish('orders', { port: 3 });
    await clock.advance(1_000);

    const ports = await Promise.all(
      Array.from({ length: 300 }, () => client.call('orders', ({ instance: { port } }) => port)),
    );

    expect(ports.filter((port) => port === 3).length).toBeLessThan(40);
  });

  it('asks layers anew when it is told that what they go by has changed', async () => {
    const barred = new Set<number>();
    const bar: Layer = {
      name: 'bar',
      apply: (endpoints, weights) =>
        endpoints.forEach(({ instance }, place) => {
          if (barred.has(instance.port)) weights[place] = 0;
        }),
    };
    const { client, publish } = startClient({ balancing: { layers: [bar] } });
    for (const port of [1, 2]) await publish('orders', { port });
    await client.getInstances('orders');
    const call = () => client.call('orders', ({ instance }) => instance.port);
    expect(new Set([await call(), await call()])).toEqual(new Set([1, 2]));
    barred.add(1);
    client.refresh('orders');
    expect(new Set([await call(), await call()])).toEqual(new Set([2]));
  });

  it('uses the zone of the client', async () => {
    const { client, publish } = startClient({ zone: 'a', balancing: { zoneAware: true } });
    for (const [port, zone] of ['a', 'a', 'b', 'b'].entries())
      await publish('orders', { port: port + 1, zone });
    await client.getInstances('orders');

    const zones = await Promise.all(
      Array.from({ length: 20 }, () => client.call('orders', ({ instance: { zone } }) => zone)),
    );

    expect(new Set(zones)).toEqual(new Set(['a']));
  });
});

describe('an explanation', () => {
  it('comes with each attempt: why this endpoint', async () => {
    const { client, publish } = startClient({ strategy: 'ring-hash' });
    for (const port of [1, 2, 3]) await publish('orders', { port });
    await client.getInstances('orders');
    const attempts: Attempt[] = [];

    const error: unknown = await client
      .call(
        'orders',
        (attempt) => {
          attempts.push(attempt);
          failWith('ECONNREFUSED');
        },
        { key: 'user-7', retries: 1 },
      )
      .catch((thrown: unknown) => thrown);

    expect(attempts.map(({ reason }) => reason)).toEqual(['sticky', 'fallback']);
    expect(error).toMatchObject({ attempts: [{ reason: 'sticky' }, { reason: 'fallback' }] });
  });

  it('says who of a service takes requests, and why the others do not', async () => {
    const { client, publish } = startClient();
    expect(client.explain('orders')).toBeUndefined();
    await publish('orders', { port: 1 });
    await publish('orders', { port: 2, status: 'draining' });
    await publish('orders', { port: 3, zone: 'b' });
    await client.getInstances('orders');

    expect(client.explain('orders')).toMatchObject({ known: 3, matching: 3, healthy: 2, off: 1 });
    expect(client.explain('orders', { filter: { zone: 'b' } })).toMatchObject({
      known: 3,
      matching: 1,
      healthy: 1,
    });
  });
});

describe('an instance that cannot be connected to', () => {
  it('is left out even when too few are left, as nothing listens there', async () => {
    const { client, publish } = startClient();
    for (const port of [1, 2, 3]) await publish('orders', { port });
    await client.getInstances('orders');
    const tried: number[] = [];
    const call = (): Promise<number> =>
      client.call('orders', ({ instance: { port } }) => {
        tried.push(port);
        return port === 3 ? port : failWith('ECONNREFUSED');
      });

    for (let count = 0; count < 6; count += 1) await call(); // each endpoint has been tried
    tried.length = 0;
    for (let count = 0; count < 5; count += 1) await call();

    expect(new Set(tried)).toEqual(new Set([3]));
  });
});
