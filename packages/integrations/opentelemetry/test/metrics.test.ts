import { describe, expect, it, vi } from 'vitest';
import { failWith, measure, startClient, type Series } from './fixture.ts';

async function startOrders(count = 2, options: Parameters<typeof startClient>[0] = {}) {
  const fixture = startClient(options);
  for (let port = 1; port <= count; port += 1) await fixture.publish('orders', port);
  await fixture.client.getInstances('orders');
  return fixture;
}

/** Those that are not 0. */
const told = (series: readonly Series[]): readonly Series[] => series.filter(({ value }) => value !== 0);
const sd = { 'sd.service': 'orders' };

describe('http.client.request.duration', () => {
  it('has one for each attempt, by method, status and error, in seconds', async () => {
    const { read } = measure();
    const { client, clock } = await startOrders();
    const slowly = client.call(
      'orders',
      (attempt) => new Promise((resolve) => clock.setTimer(() => resolve((attempt.status = 200)), 40)),
      { method: 'GET' },
    );
    await clock.advance(40);
    await slowly;
    await client.call(
      'orders',
      (attempt) => (attempt.number === 1 ? failWith('ECONNREFUSED') : (attempt.status = 404)),
      {
        method: 'PURGE',
      },
    );

    const http = { ...sd, 'server.address': 'orders' };
    expect(await read('http.client.request.duration')).toEqual([
      {
        attributes: { ...http, 'http.request.method': 'GET', 'http.response.status_code': 200 },
        value: { count: 1, sum: 0.04 },
      },
      {
        attributes: { ...http, 'http.request.method': '_OTHER', 'error.type': 'connect-failure' },
        value: { count: 1, sum: 0 },
      },
      {
        attributes: {
          ...http,
          'http.request.method': '_OTHER',
          'http.response.status_code': 404,
          'error.type': '404',
        },
        value: { count: 1, sum: 0 },
      },
    ]);
  });

  it('has the buckets that the conventions advise', async () => {
    const { collect } = measure();
    const { client } = await startOrders(1);
    await client.call('orders', () => 'ok', { method: 'GET' });
    const metric = (await collect()).find(
      ({ descriptor }) => descriptor.name === 'http.client.request.duration',
    );
    expect(metric?.descriptor.unit).toBe('s');
    expect(metric?.dataPoints[0]?.value).toMatchObject({
      buckets: { boundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] },
    });
  });

  it('has no attempts that are no HTTP requests', async () => {
    const { read } = measure();
    const { client } = await startOrders(1);
    await client.call('orders', () => 'ok');
    expect(await read('http.client.request.duration')).toEqual([]);
  });

  it('has the address of the instance where that is asked for', async () => {
    const { read } = measure({ serverAddress: 'instance' });
    const { client } = await startOrders(2);
    for (let time = 0; time < 4; time += 1) await client.call('orders', () => 'ok', { method: 'GET' });
    const places = (await read('http.client.request.duration')).map(({ attributes, value }) => [
      attributes['server.address'],
      attributes['server.port'],
      value,
    ]);
    expect(places.sort()).toEqual([
      ['10.0.0.1', 1, { count: 2, sum: 0 }],
      ['10.0.0.1', 2, { count: 2, sum: 0 }],
    ]);
  });
});

describe('sd.client.call.duration', () => {
  it('has one for each call, by the code of its error', async () => {
    const { read } = measure();
    const { client } = await startOrders(1);
    await client.call('orders', () => 'ok');
    await expect(client.call('orders', () => failWith('ECONNRESET'))).rejects.toThrow();
    await expect(client.call('orders', () => Promise.reject(new Error('a bug')))).rejects.toThrow();
    const aborted = { signal: AbortSignal.abort() };
    await expect(client.call('orders', () => 'ok', aborted)).rejects.toThrow();

    const counts = (await read('sd.client.call.duration')).map(({ attributes }) => attributes);
    expect(counts).toEqual([
      sd,
      { ...sd, 'error.type': 'ERR_SD_CONNECTION' },
      { ...sd, 'error.type': '_OTHER' },
      { ...sd, 'error.type': 'cancelled' },
    ]);
  });

  it('knows no more than 50 errors', async () => {
    const { read } = measure();
    const { client } = await startOrders(1);
    const letters = Array.from(
      { length: 60 },
      (_, place) => 'A'.repeat(1 + (place % 30)) + (place < 30 ? 'B' : 'C'),
    );
    for (const code of letters) {
      const error = Object.assign(new Error('theirs'), { code: `ERR_SD_${code}` });
      await expect(client.call('orders', () => Promise.reject(error))).rejects.toThrow();
    }
    expect((await read('sd.client.call.duration')).length).toBeLessThanOrEqual(51);
  });
});

describe('counters', () => {
  it('count attempts by kind and outcome, and retries that were granted or not', async () => {
    const { read } = measure();
    const { client } = await startOrders(2, { retryBudget: { ratio: 0, perSecond: 0.5 } });
    const failOnce = () =>
      client.call('orders', ({ number }) => (number === 1 ? failWith('ECONNREFUSED') : 'ok'));
    await failOnce();
    await expect(client.call('orders', () => failWith('ECONNREFUSED'))).rejects.toThrow();

    expect(await read('sd.client.attempts')).toEqual([
      {
        attributes: { ...sd, 'sd.attempt.kind': 'first', 'sd.attempt.outcome': 'connect-failure' },
        value: 2,
      },
      { attributes: { ...sd, 'sd.attempt.kind': 'retry', 'sd.attempt.outcome': 'ok' }, value: 1 },
    ]);
    expect(await read('sd.client.retries')).toEqual([
      { attributes: { ...sd, 'sd.granted': true }, value: 1 },
      { attributes: { ...sd, 'sd.granted': false }, value: 1 },
    ]);
  });

  it('count hedges that were granted or not', async () => {
    const { read } = measure();
    const { client, clock } = await startOrders();
    for (let time = 0; time < 40; time += 1) await client.call('orders', () => 'ok', { idempotent: true });
    const call = client.call(
      'orders',
      ({ kind }) => (kind === 'hedge' ? 'ok' : new Promise(() => undefined)),
      { idempotent: true },
    );
    await clock.advance(1_000);
    await call;
    expect(await read('sd.client.hedges')).toEqual([{ attributes: { ...sd, 'sd.granted': true }, value: 1 }]);
  });

  it('count picks by strategy and reason, and those that found nobody', async () => {
    const { read } = measure();
    const { client, clock } = await startOrders(1);
    await client.call('orders', () => 'ok');
    await client.call('orders', () => 'ok', { strategy: 'random' });
    const nobody = client.call('none', () => 'ok');
    nobody.catch(() => undefined);
    await clock.advance(50);
    await expect(nobody).rejects.toThrow();

    expect(await read('sd.client.picks')).toMatchObject([
      { attributes: { ...sd, 'sd.pick.strategy': 'round-robin', 'sd.pick.reason': 'direct' }, value: 1 },
      { attributes: { ...sd, 'sd.pick.strategy': 'random', 'sd.pick.reason': 'direct' }, value: 1 },
      { attributes: { 'sd.service': 'none', 'sd.pick.strategy': 'round-robin', 'sd.pick.reason': 'nobody' } },
    ]);
  });

  it('count ejections by cause, also those by hand', async () => {
    const { read } = measure();
    const { client } = await startOrders();
    await client.call('orders', ({ number }) => (number === 1 ? failWith('ECONNREFUSED') : 'ok'));
    client.isolate('orders', 'orders-10.0.0.1-2');
    expect(await read('sd.client.ejections')).toEqual([
      { attributes: { ...sd, 'sd.ejection.cause': 'unreachable' }, value: 1 },
      { attributes: { ...sd, 'sd.ejection.cause': 'operator' }, value: 1 },
    ]);
  });

  it('count watches that failed', async () => {
    const { read } = measure();
    const { backend, clock } = await startOrders();
    await backend.close();
    await clock.advance(0);
    expect(await read('sd.client.watch.reconnects')).toEqual([{ attributes: sd, value: 1 }]);
  });
});

describe('gauges', () => {
  it('tell of each endpoint in one state, and of the states that nobody is in', async () => {
    const { read, instrumentation } = measure();
    const { client, publish, clock } = await startOrders(3);
    instrumentation.observe(client);
    await publish('orders', 7, { status: 'draining' });
    await publish('orders', 8, { status: 'unhealthy' });
    await clock.advance(20);
    await client.call('orders', ({ number }) => (number === 1 ? failWith('ECONNREFUSED') : 'ok'));
    client.isolate('orders', 'orders-10.0.0.1-3');

    const states = await read('sd.client.endpoints');
    expect(states).toHaveLength(9);
    expect(
      Object.fromEntries(
        told(states).map(({ attributes, value }) => [attributes['sd.endpoint.state'], value]),
      ),
    ).toEqual({ isolated: 1, draining: 1, unhealthy: 1, ejected: 1, eligible: 1 });
  });

  it('tell of the breaker, the retries left, and a view that is in sync', async () => {
    const { client } = await startOrders();
    const { read } = measure({ discovery: [client] });
    client.isolate('orders');
    expect(told(await read('sd.client.breaker.state'))).toEqual([
      { attributes: { ...sd, 'sd.breaker.state': 'isolated' }, value: 1 },
    ]);
    expect(told(await read('sd.client.view.state'))).toEqual([
      { attributes: { ...sd, 'sd.view.state': 'live' }, value: 1 },
    ]);
    expect(await read('sd.client.snapshot.age')).toEqual([{ attributes: sd, value: 0 }]);
    expect(await read('sd.client.retry_budget')).toEqual([{ attributes: sd, value: 20 }]);
  });

  it('tell for how long a view has been out of sync, in seconds', async () => {
    const { client, backend, clock } = await startOrders();
    const { read } = measure({ discovery: [client] });
    await backend.close();
    await clock.advance(0);
    await clock.advance(1_500);
    expect(await read('sd.client.snapshot.age')).toEqual([{ attributes: sd, value: 1.5 }]);
    expect(told(await read('sd.client.view.state'))).toMatchObject([
      { attributes: { 'sd.view.state': 'stale' } },
    ]);
  });

  it('add up what several clients say of a service', async () => {
    const [one, two] = [await startOrders(1), await startOrders(2)];
    const { read } = measure({ discovery: [one.client, two.client] });
    expect(told(await read('sd.client.endpoints'))).toEqual([
      { attributes: { ...sd, 'sd.endpoint.state': 'eligible' }, value: 3 },
    ]);
  });

  it('are silent once the client is closed', async () => {
    const { client } = await startOrders();
    const { read } = measure({ discovery: [client] });
    await client.close();
    expect(await read('sd.client.endpoints')).toEqual([]);
  });
});

it('counts services beyond the limit together', async () => {
  const { read } = measure({ maxServices: 2 });
  const { client, publish } = startClient();
  for (const service of ['one', 'two', 'three', 'four']) {
    await publish(service, 1);
    await client.call(service, () => 'ok', { method: 'GET' });
  }
  const services = async (name: string) =>
    (await read(name)).map(({ attributes }) => attributes['sd.service']);
  for (const name of ['sd.client.attempts', 'sd.client.call.duration', 'http.client.request.duration']) {
    expect(await services(name)).toEqual(['one', 'two', '_other']);
  }
  expect((await read('http.client.request.duration')).at(-1)).toMatchObject({
    attributes: { 'server.address': '_other' },
    value: { count: 2 },
  });
});

it('asks a client until that is ended, and keeps it no longer', async () => {
  const { read, instrumentation } = measure();
  const { client } = await startOrders();
  const inUse = vi.spyOn(client, 'inUse');
  const end = instrumentation.observe(client);
  await read('sd.client.endpoints');
  expect(inUse).toHaveBeenCalledTimes(1);
  end();
  await read('sd.client.endpoints');
  expect(inUse).toHaveBeenCalledTimes(1);
});

it('measures nothing once it is stopped', async () => {
  const { read, instrumentation } = measure();
  const { client } = await startOrders();
  instrumentation.observe(client);
  await client.call('orders', () => 'ok');
  instrumentation.stop();
  instrumentation.stop();
  await client.call('orders', () => 'ok');
  expect(await read('sd.client.attempts')).toEqual([]);
  expect(await read('sd.client.endpoints')).toEqual([]);
  expect((await read('sd.client.call.duration'))[0]?.value).toMatchObject({ count: 1 });
});
