import { connectivityState, status } from '@grpc/grpc-js';
import { sleep, systemClock } from '@sd/core';
import { telemetry } from '@sd/discovery';
import { LoadBalancerFactory, type Endpoint } from '@sd/load-balancers';
import { eventually } from '@sd/testkit';
import { constants, createServer as createHttp2Server } from 'node:http2';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { connected, inTurn, startOrders, tally } from './fixture.ts';
import { startServer, type Handlers } from './orders.ts';

const failing = (code: status): Handlers => ({
  get: (_call, reply) => reply({ code, details: 'as the test wants it' }),
});

describe('one of three instances that', () => {
  it('is killed: calls under way on it fail, calls that follow do not', async () => {
    const { client, instances, discovery } = await startOrders({ handlers: [{}, {}, {}] });
    await connected(client, 3);
    const [dead] = instances;
    if (dead === undefined) throw new Error('no instance');

    dead.server.forceShutdown();
    await eventually(() => expect(outOfRotation(discovery.endpoints('orders') ?? [])).toBe(1));
    const answers = await inTurn(30, () => client.get());

    expect(tally(answers).size).toBe(2);
    expect(answers).not.toContain(String(dead.port));
  });

  it('is killed: not even calls under way on it fail when the service config has them repeated', async () => {
    const { client, instances } = await startOrders({
      handlers: [{}, {}, {}],
      channel: { 'grpc.service_config': JSON.stringify(retrying) },
    });
    await connected(client, 3);

    const calls = Array.from({ length: 30 }, () => client.get());
    instances[0]?.server.forceShutdown();

    expect(await Promise.all([...calls, ...calls.map(() => client.get())])).toHaveLength(60);
  });

  it('answers UNAVAILABLE is ejected', async () => {
    const { client, discovery, instances } = await startOrders({
      handlers: [{}, {}, failing(status.UNAVAILABLE)],
    });

    await eventually(async () => {
      await client.get().catch(() => undefined);
      expect(outOfRotation(discovery.endpoints('orders') ?? [])).toBe(1);
    });

    const answers = await inTurn(20, () => client.get());
    expect(answers).not.toContain(String(instances[2]?.port));
  });

  it('refuses streams, as one does that closes a connection, stays', async () => {
    const { client, discovery, publish } = await startOrders({ handlers: [{}, {}] });
    await connected(client, 2);
    const refusing = createHttp2Server();
    refusing.on('stream', (stream) =>
      stream.on('error', () => undefined).close(constants.NGHTTP2_REFUSED_STREAM),
    );
    const sessions = new Set<{ destroy(): void }>();
    refusing.on('session', (session) => sessions.add(session));
    refusing.listen(0, '127.0.0.1');
    await once(refusing, 'listening');
    onTestFinished(() => {
      for (const session of sessions) session.destroy();
      refusing.close();
    });
    const { port } = refusing.address() as AddressInfo;
    await publish({ port });
    await eventually(() => expect(sessions.size).toBe(1));

    expect(await inTurn(30, () => client.get())).not.toContain(String(port));

    expect(outOfRotation(discovery.endpoints('orders') ?? [])).toBe(0);
  });

  it('answers what only the application means stays', async () => {
    const { client, discovery } = await startOrders({ handlers: [failing(status.NOT_FOUND), {}, {}] });
    await connected(client, 2).catch(() => undefined);

    await inTurn(60, () => client.get().catch(() => 'not found'));

    expect(outOfRotation(discovery.endpoints('orders') ?? [])).toBe(0);
  });

  it('is slow gets less, with peak-ewma', async () => {
    const { client, instances } = await startOrders({
      handlers: [{ get: (_call, reply) => void setTimeout(() => reply(null, 'slow'), 100) }, {}, {}],
      registration: { strategy: 'peak-ewma' },
    });
    await connected(client, 3);

    const answers = await inTurn(60, () => client.get());

    expect(instances).toHaveLength(3);
    expect(tally(answers).get('slow') ?? 0).toBeLessThan(6);
  });

  it('refuses connections is left out at once, and back as soon as it listens', async () => {
    const { client, publish, discovery, instances } = await startOrders({
      handlers: [{}, {}],
      channel: { 'grpc.initial_reconnect_backoff_ms': 100 },
    });
    await connected(client, 2);
    const port = await closedPort();
    await publish({ port });

    await eventually(() => expect(outOfRotation(discovery.endpoints('orders') ?? [])).toBe(1));
    expect(tally(await inTurn(10, () => client.get()))).toEqual(
      new Map(instances.map((instance) => [String(instance.port), 5])),
    );

    await startServer({}, '127.0.0.1', { port });
    await eventually(async () => expect(await client.get()).toBe(String(port)));
  });

  it('swallows connections is left out after connectTimeoutMs, and keeps no call waiting', async () => {
    const { client, publish, discovery } = await startOrders({
      handlers: [{}, {}],
      registration: { connectTimeoutMs: 200 },
    });
    await connected(client, 2);
    await publish({ port: await silentPort() });
    await eventually(() => expect(discovery.endpoints('orders')).toHaveLength(3));

    expect(tally(await inTurn(20, () => client.get())).size).toBe(2);
    await eventually(() => expect(outOfRotation(discovery.endpoints('orders') ?? [])).toBe(1));
  });
});

describe('a channel without any connection', () => {
  it('fails calls with what the last connection said, and recovers', async () => {
    const { client, publish, add } = await startOrders({ handlers: [] });
    await publish({ port: await closedPort() });

    await eventually(() =>
      expect(client.get()).rejects.toMatchObject({
        code: status.UNAVAILABLE,
        details: expect.stringMatching(
          /^No connection to any of the 1 instances of "orders"; the last error was: .*ECONNREFUSED/,
        ) as string,
      }),
    );
    expect(client.getChannel().getConnectivityState(false)).toBe(connectivityState.TRANSIENT_FAILURE);

    await add();
    await eventually(async () => expect(await client.get()).not.toBe(''));
    expect(client.getChannel().getConnectivityState(false)).toBe(connectivityState.READY);
  });
});

describe('a repeated call', () => {
  it('goes to another instance', async () => {
    const { client, discovery } = await startOrders({
      handlers: [failing(status.UNAVAILABLE), {}],
      discovery: { outliers: { consecutiveFailures: false, successRate: false, deviation: false } },
      channel: { 'grpc.service_config': JSON.stringify(retrying) },
    });
    await eventually(async () => {
      await client.get();
      expect(discovery.endpoints('orders')).toHaveLength(2);
    });

    // With two in turn and one that always fails, concurrent calls would meet the same one again.
    const calls = Array.from({ length: 40 }, () => client.get());

    expect((await Promise.allSettled(calls)).filter(({ status: end }) => end === 'rejected')).toEqual([]);
  });
});

describe('a call that', () => {
  const hanging: Handlers = { get: () => undefined, chat: (call) => void call.on('data', () => undefined) };

  it('exceeds its deadline is a timeout of the instance', async () => {
    const { client } = await startOrders({ handlers: [hanging] });
    const outcomes = listenToOutcomes();

    await expect(client.get('7', { deadline: Date.now() + 100 })).rejects.toMatchObject({
      code: status.DEADLINE_EXCEEDED,
    });

    expect(outcomes).toEqual(['timeout']);
  });

  it('is cancelled says nothing of the instance, and is in flight no more', async () => {
    const { client, discovery } = await startOrders({ handlers: [hanging] });
    const outcomes = listenToOutcomes();
    const chat = client.chat();
    chat.on('error', () => undefined);
    chat.write('hello');
    await eventually(() => expect(discovery.endpoints('orders')?.[0]?.inFlight).toBe(1));

    chat.cancel();

    await eventually(() => expect(discovery.endpoints('orders')?.[0]?.inFlight).toBe(0));
    expect(outcomes).toEqual(['cancelled']);
  });

  it.each([
    [status.RESOURCE_EXHAUSTED, 'overload'],
    [status.UNAVAILABLE, 'error'],
    [status.INTERNAL, 'error'],
    [status.UNKNOWN, 'error'],
    [status.PERMISSION_DENIED, 'ok'],
    [status.INVALID_ARGUMENT, 'ok'],
  ])('ends with status %i counts as %s', async (code, outcome) => {
    const { client } = await startOrders({ handlers: [failing(code)] });
    const outcomes = listenToOutcomes();

    await expect(client.get()).rejects.toMatchObject({ code });

    expect(outcomes).toEqual([outcome]);
  });

  it('is a stream is in flight until it ends, and its lifetime is told, but is no latency', async () => {
    let end = (): void => undefined;
    const latencies: number[] = [];
    const loadBalancers = new LoadBalancerFactory().register('watched', () => {
      let endpoints: readonly Endpoint[] = [];
      return {
        update: (all) => (endpoints = all),
        pick: () => endpoints[0],
        finished: (_endpoint, outcome, latencyMs) => {
          if (outcome !== 'cancelled') latencies.push(latencyMs);
        },
      };
    });
    const { client, discovery } = await startOrders({
      discovery: { loadBalancers, strategy: 'watched' },
      handlers: [
        {
          list: (call) => {
            call.write('a');
            call.write('b');
            end = () => call.end();
          },
        },
      ],
    });
    const durations: (number | undefined)[] = [];
    listenToAttempts(({ durationMs }) => void durations.push(durationMs));
    const list = client.list();
    await once(list, 'data');
    await once(list, 'data');
    using orders = discovery.open('orders');
    const [endpoint] = orders.matching;
    expect(endpoint).toMatchObject({ inFlight: 1, answering: 1 }); // nobody waits for it

    await sleep(systemClock, 50);
    end();
    list.resume();
    await once(list, 'end');

    await eventually(() => expect(endpoint).toMatchObject({ inFlight: 0, answering: 0 }));
    expect(latencies).toEqual([]);
    expect(durations).toHaveLength(1);
    expect(durations[0]).toBeGreaterThanOrEqual(49);
  });
});

/** Of "orders", in the order of their ends. */
function listenToOutcomes(): unknown[] {
  const outcomes: unknown[] = [];
  listenToAttempts(({ outcome }) => void outcomes.push(outcome));
  return outcomes;
}

function listenToAttempts(asyncEnd: (attempt: { outcome?: unknown; durationMs?: number }) => void): void {
  const nothing = (): void => undefined;
  const listeners = { start: nothing, end: nothing, asyncStart: nothing, asyncEnd, error: nothing };
  telemetry.attempt.subscribe(listeners);
  onTestFinished(() => {
    telemetry.attempt.unsubscribe(listeners);
  });
}

const outOfRotation = (endpoints: readonly { readonly status: string }[]): number =>
  endpoints.filter((endpoint) => endpoint.status === 'unhealthy').length;

const retrying = {
  methodConfig: [
    {
      name: [{ service: 'shop.v1.Orders' }],
      retryPolicy: {
        maxAttempts: 2,
        initialBackoff: '0.01s',
        maxBackoff: '0.01s',
        backoffMultiplier: 1,
        retryableStatusCodes: ['UNAVAILABLE'],
      },
    },
  ],
};

/** A port that refuses connections. */
async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const port = portOf(server.address());
  server.close();
  await once(server, 'close');
  return port;
}

/** A port that accepts connections and never says a word. */
async function silentPort(): Promise<number> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => void sockets.push(socket.on('error', () => undefined)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return portOf(server.address());
}

function portOf(address: ReturnType<ReturnType<typeof createServer>['address']>): number {
  if (address === null || typeof address === 'string') throw new Error('not a TCP server');
  return address.port;
}
