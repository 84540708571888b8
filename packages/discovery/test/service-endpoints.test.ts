import { anyRequest } from '@sd/load-balancers';
import { ConfigValidationError } from '@sd/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  NoHealthyInstanceError,
  telemetry,
  UnknownServiceError,
  type AttemptTrace,
  type DiscoveryClientOptions,
  type OpenOptions,
} from '../src/index.ts';
import { startClient } from './fixture.ts';

/** Endpoints of a service "orders" with three instances. */
async function openOrders(options?: OpenOptions, clientOptions?: Partial<DiscoveryClientOptions>) {
  const fixture = startClient(clientOptions);
  const leases = [];
  for (const port of [1, 2, 3]) leases.push(await fixture.publish('orders', { port, zone: `z${port}` }));
  await fixture.client.getInstances('orders');
  const endpoints = fixture.client.open('orders', options);
  onTestFinished(() => endpoints.close());
  const portsOf = (picks: number): (number | undefined)[] =>
    Array.from({ length: picks }, () => {
      const endpoint = endpoints.pick();
      if (endpoint !== undefined) endpoints.done(endpoint, 'ok', 1);
      return endpoint?.instance.port;
    });
  return { ...fixture, endpoints, leases, portsOf };
}

describe('the endpoints of an open service', () => {
  it('are picked in the order of the strategy, and in flight until they are given back', async () => {
    const { endpoints } = await openOrders();

    const picked = [1, 2, 3].map(() => endpoints.pick());

    expect(new Set(picked.map((endpoint) => endpoint?.instance.port))).toEqual(new Set([1, 2, 3]));
    expect(picked.map((endpoint) => endpoint?.inFlight)).toEqual([1, 1, 1]);
    for (const endpoint of picked) if (endpoint !== undefined) endpoints.done(endpoint, 'ok', 5);
    expect(picked.map((endpoint) => endpoint?.inFlight)).toEqual([0, 0, 0]);
  });

  it('are those that match the filter, by the strategy that is asked for', async () => {
    const { endpoints, portsOf } = await openOrders({ strategy: 'random', filter: { zone: 'z2' } });

    expect(endpoints.matching.map(({ instance }) => instance.port)).toEqual([2]);
    expect(portsOf(3)).toEqual([2, 2, 2]);
  });

  it('are ejected for how they answer, and picked no more', async () => {
    const { endpoints, portsOf } = await openOrders();
    const bad = endpoints.matching[0];
    if (bad === undefined) throw new Error('nobody is there');

    for (let time = 0; time < 15; time += 1) {
      const endpoint = endpoints.pick();
      if (endpoint !== undefined) endpoints.done(endpoint, endpoint === bad ? 'error' : 'ok', 1);
    }

    expect(bad.ejected).toBe(true);
    expect(endpoints.eligible).not.toContain(bad);
    expect(portsOf(6)).not.toContain(bad.instance.port);
  });

  it('say nothing when an attempt is cancelled, or not made', async () => {
    const { endpoints } = await openOrders();
    for (let time = 0; time < 30; time += 1) {
      const cancelled = endpoints.pick();
      if (cancelled !== undefined) endpoints.done(cancelled, 'cancelled', 0);
      const unused = endpoints.pick();
      if (unused !== undefined) endpoints.release(unused);
    }
    expect(endpoints.eligible).toHaveLength(3);
    expect(endpoints.eligible.map(({ inFlight }) => inFlight)).toEqual([0, 0, 0]);
  });

  it('are out while no connection opens, and back as soon as one does', async () => {
    const { endpoints, portsOf } = await openOrders();
    const [first] = endpoints.matching;
    if (first === undefined) throw new Error('nobody is there');

    endpoints.unreachable(first);
    expect(first.unreachable).toBe(true);
    expect(portsOf(6)).not.toContain(1);

    endpoints.reachable(first);
    expect(first.ejected).toBe(false);
    expect(portsOf(3)).toContain(1);
  });

  it('are not back for a stream from before they were ejected', async () => {
    const { endpoints, clock } = await openOrders();
    const [bad] = endpoints.matching;
    if (bad === undefined) throw new Error('nobody is there');
    let isStreaming = false;
    while (!bad.ejected) {
      const endpoint = endpoints.pick();
      if (endpoint === bad && !isStreaming) isStreaming = true;
      else if (endpoint !== undefined) endpoints.done(endpoint, endpoint === bad ? 'error' : 'ok', 1);
    }
    await clock.advance(10_000); // it is about to be probed

    endpoints.done(bad, 'ok', Number.NaN);
    expect(bad.ejected).toBe(true);

    let probed = endpoints.pick({ ...anyRequest, mayProbe: true });
    while (probed !== bad) probed = endpoints.pick({ ...anyRequest, mayProbe: true });
    endpoints.done(bad, 'ok', Number.NaN, endpoints.reason);
    expect(bad.ejected).toBe(false);
  });

  it('are learned of by everybody, also when one who listens throws', async () => {
    const { endpoints, publish, clock } = await openOrders();
    const seen: number[] = [];
    endpoints.onChange(() => {
      throw new Error('a bug');
    });
    endpoints.onChange(({ instances }) => seen.push(instances.length));

    await publish('orders', { port: 4 });
    await clock.advance(100);

    expect(seen).toEqual([4]);
  });

  it('are learned of when they change, until the listener is stopped or all is closed', async () => {
    const { endpoints, publish, clock } = await openOrders();
    const seen: number[] = [];
    const stop = endpoints.onChange(() => seen.push(endpoints.matching.length));
    endpoints.onChange(({ instances }) => seen.push(instances.length));

    await publish('orders', { port: 4 });
    await clock.advance(100);
    expect(seen).toEqual([4, 4]);

    stop();
    await publish('orders', { port: 5 });
    await clock.advance(100);
    expect(seen).toEqual([4, 4, 5]);

    endpoints.close();
    await publish('orders', { port: 6 });
    await clock.advance(100);
    expect(seen).toEqual([4, 4, 5]);
  });

  it('keep the service in use until they are closed', async () => {
    const { client, clock, endpoints } = await openOrders({}, { idleMs: 1_000 });

    await clock.advance(5_000);
    expect(client.peek('orders')?.state).toBe('live');

    endpoints.close();
    endpoints.close();
    await clock.advance(2_000);
    expect(client.peek('orders')).toBeUndefined();
  });
});

describe('an open service without anybody to pick', () => {
  it('says that nobody is registered', async () => {
    const { client } = startClient();
    await client.getInstances('nothing');
    const endpoints = client.open('nothing');

    expect(endpoints.pick(anyRequest)).toBeUndefined();
    expect(endpoints.nobody()).toBeInstanceOf(UnknownServiceError);
    endpoints.close();
  });

  it('says that the store was not heard of yet', () => {
    const { client } = startClient();
    const endpoints = client.open('orders');
    expect(endpoints.nobody()).toMatchObject({
      code: 'ERR_SD_BACKEND_UNAVAILABLE',
      message: 'Backend "memory": no snapshot of "orders" yet; still trying',
    });
    endpoints.close();
  });

  it('says that nobody is healthy', async () => {
    const { client, publish } = startClient();
    await publish('orders', { port: 1, status: 'out-of-service' });
    await client.getInstances('orders');
    const endpoints = client.open('orders');

    expect(endpoints.pick()).toBeUndefined();
    expect(endpoints.serves).toBe(false);
    expect(endpoints.nobody()).toBeInstanceOf(NoHealthyInstanceError);
    endpoints.close();
  });

  it('says that an operator has isolated it', async () => {
    const { client, endpoints, portsOf } = await openOrders();

    client.isolate('orders');
    expect(portsOf(1)).toEqual([undefined]);
    expect(endpoints.nobody()).toMatchObject({ code: 'ERR_SD_CIRCUIT_OPEN' });

    client.release('orders');
    expect(portsOf(1)).not.toEqual([undefined]);
  });

  it('refuses an option that does not exist', () => {
    const { client } = startClient();
    expect(() => client.open('orders', { strategy: 'fastest' })).toThrow(ConfigValidationError);
  });
});

it('tells telemetry of picks, and of attempts when they have ended', async () => {
  const { endpoints } = await openOrders();
  const attempts: AttemptTrace[] = [];
  const picks: unknown[] = [];
  const onEnd = (message: AttemptTrace): void => void attempts.push(message);
  const onPick = ({ service, reason }: { service: string; reason: string }): void =>
    void picks.push([service, reason]);
  const listeners = {
    start: () => undefined,
    end: () => undefined,
    asyncStart: () => undefined,
    asyncEnd: onEnd,
    error: () => undefined,
  };
  telemetry.attempt.subscribe(listeners);
  telemetry.pick.subscribe(onPick);
  onTestFinished(() => {
    telemetry.attempt.unsubscribe(listeners);
    telemetry.pick.unsubscribe(onPick);
  });

  const endpoint = endpoints.pick();
  if (endpoint !== undefined) endpoints.done(endpoint, 'timeout', 7, endpoints.reason);
  const stream = endpoints.pick();
  if (stream !== undefined) endpoints.done(stream, 'ok', Number.NaN, endpoints.reason, false, 900);

  expect(picks).toEqual([
    ['orders', 'direct'],
    ['orders', 'direct'],
  ]);
  expect(attempts).toMatchObject([
    { service: 'orders', endpoint, outcome: 'timeout', durationMs: 7, reason: 'direct', kind: 'first' },
    { service: 'orders', endpoint: stream, outcome: 'ok', durationMs: 900 },
  ]);
});
