import { once } from 'node:events';
import { Agent, createServer, get, type IncomingMessage, type Server } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { connect, createServer as createTcpServer } from 'node:net';
import { ClosedError, ConfigValidationError, sleep, systemClock, type InstanceStatus } from '@sd/core';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { orders, rejection, setUp, unavailable } from './fixture.ts';
import { answer, never } from './scripted-backend.ts';

describe('drain', () => {
  it('marks the instance, waits for consumers, finishes, and only then deregisters', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    const work = answer();
    const seen: (InstanceStatus | undefined)[] = [];
    const finish = (): Promise<void> => {
      seen.push(backend.stored.get('orders-1')?.status);
      return work.promise;
    };

    const draining = registration.drain({ finish });
    await clock.advance(1_999);
    expect(backend.stored.get('orders-1')?.status).toBe('draining');
    expect(registration.state.value).toBe('draining');
    expect(seen).toEqual([]);
    await clock.advance(1);
    expect(seen).toEqual(['draining']);
    await clock.advance(10_000);
    expect(backend.stored.size).toBe(1);
    work.give();
    await draining;

    expect(backend.stored.size).toBe(0);
    expect(registration.state.value).toBe('deregistered');
    expect(clock.pendingTimers).toBe(0);
  });

  it('lets a registration time its own draining, after the defaults of the registry', async () => {
    const { clock, registry } = setUp({ drain: { propagationMs: 500, timeoutMs: 5_000 } });
    const registration = await registry.register(orders);

    void registration.drain({ propagationMs: 100 });
    await clock.advance(100);

    expect(registration.state.value).toBe('deregistered');
  });

  it('takes the default of the registry for an option that is undefined', async () => {
    const { clock, registry } = setUp({ drain: { propagationMs: 500 } });
    const registration = await registry.register(orders);

    void registration.drain({ propagationMs: undefined });
    await clock.advance(500);

    expect(registration.state.value).toBe('deregistered');
  });

  it('joins the first call when called again', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    let finished = 0;
    const finish = async (): Promise<void> => void (finished += 1);

    const both = Promise.all([registration.drain({ finish }), registration.drain({ finish })]);
    await clock.advance(2_000);
    await both;

    expect(finished).toBe(1);
    expect(backend.requests).toEqual(['register orders-1', 'update orders-1', 'release orders-1']);
  });

  it('is cut short by deregister()', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    const draining = registration.drain({ finish: never });
    await clock.advance(3_000);

    await Promise.all([registration.deregister(), draining]);

    expect(backend.stored.size).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it('keeps the status, whatever a health check reports meanwhile', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    const draining = registration.drain();

    const updating = registration.update({ status: 'healthy', weight: 7 });
    await clock.advance(0);
    await updating;

    expect(backend.stored.get('orders-1')).toMatchObject({ status: 'draining', weight: 7 });
    await clock.advance(2_000);
    await draining;
  });

  it('refuses wrong options before anything happens', async () => {
    const { registry } = setUp();
    const registration = await registry.register(orders);

    const error = await rejection(registration.drain({ timeoutMs: Number.NaN }));

    expect(error).toMatchObject({ code: 'ERR_SD_CONFIG', field: 'timeoutMs' });
    expect(registration.state.value).toBe('published');
  });

  it('deregisters at once what was never published', async () => {
    const { backend, registry } = setUp();
    backend.onRegister = unavailable;
    const registering = rejection(registry.register(orders));

    await registry.drain();

    expect(await registering).toBeInstanceOf(ClosedError);
  });

  it('finishes the work of what was never published', async () => {
    const { backend, clock, registry } = setUp();
    backend.onRegister = unavailable;
    const registering = rejection(registry.register(orders));
    const finishing = answer();
    let isDrained = false;

    const draining = registry.drain({ finish: () => finishing.promise }).then(() => (isDrained = true));
    await clock.advance(1_000);
    const tries = backend.requests.length;
    await clock.advance(5_000);

    expect(isDrained).toBe(false);
    expect(backend.requests).toHaveLength(tries);
    expect(await registering).toBeInstanceOf(ClosedError);
    finishing.give();
    await draining;
    expect(clock.pendingTimers).toBe(0);
  });

  it('is announced although the store refuses a change that came before', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    const slow = answer();
    backend.onUpdate = () => slow.promise;
    void registration.update({ weight: 2 });
    await clock.advance(0);
    backend.onUpdate = ({ tags }) => {
      if (tags.length > 0)
        throw new ConfigValidationError('Tags', [{ field: 'tags', received: '1', expected: '0' }]);
    };
    const refused = rejection(registration.update({ tags: ['a'] }));

    const draining = registration.drain();
    slow.give();
    await clock.advance(100);

    expect(await refused).toBeInstanceOf(ConfigValidationError);
    expect(backend.stored.get('orders-1')?.status).toBe('draining');
    await clock.advance(5_000);
    await draining;
  });

  it('drains all registrations side by side', async () => {
    const { backend, clock, registry } = setUp();
    await registry.register(orders);
    await registry.register({ ...orders, service: 'payments', id: 'payments-1' });

    const draining = registry.drain();
    await clock.advance(2_000);
    await draining;

    expect(backend.stored.size).toBe(0);
    expect(registry.registrations).toEqual([]);
  });
});

describe('drain in trouble', () => {
  it.each([
    ['is down', unavailable],
    ['never answers', never],
  ])('still finishes the work in flight, in time, when the store %s', async (_what, trouble) => {
    const { backend, clock, logger, registry } = setUp();
    const registration = await registry.register(orders);
    backend.onUpdate = trouble;
    backend.onRelease = trouble;
    let finishedAt = Number.NaN;
    const finish = async (): Promise<void> => void (finishedAt = clock.monotonic());

    const draining = registration.drain({ finish });
    await clock.advance(30_000);
    await draining;

    expect(finishedAt).toBe(5_000);
    expect(registration.state.value).toBe('deregistered');
    expect(logger.at('warn')).toContain(
      'warn: Could not announce that "orders-1" of service "orders" drains; it finishes its work all the same',
    );
    expect(clock.pendingTimers).toBe(0);
  });

  it('ends after timeoutMs, and says to the work that its time is up a moment before', async () => {
    const { backend, clock, logger, registry } = setUp();
    const registration = await registry.register(orders);
    let abortedAt = Number.NaN;
    const finish = ({ signal }: { readonly signal: AbortSignal }): Promise<void> => {
      signal.addEventListener('abort', () => (abortedAt = clock.monotonic()));
      return never();
    };
    backend.onRelease = never;
    let done = false;

    const draining = registration.drain({ finish, timeoutMs: 10_000 }).then(() => (done = true));
    await clock.advance(9_999);
    expect(done).toBe(false);
    await clock.advance(1);
    await draining;

    expect(abortedAt).toBe(9_000);
    expect(logger.at('warn')).toHaveLength(2); // the work, and the store
  });

  it('gives the work its turn even if the propagation alone would take all the time', async () => {
    const { clock, registry } = setUp();
    const registration = await registry.register(orders);
    let finishedAt = Number.NaN;
    const finish = async (): Promise<void> => void (finishedAt = clock.monotonic());

    const draining = registration.drain({ finish, propagationMs: 60_000, timeoutMs: 10_000 });
    await clock.advance(5_000);
    await draining;

    expect(finishedAt).toBe(5_000);
  });

  it.each([
    ['rejects', () => Promise.reject(new Error('boom'))],
    [
      'throws',
      () => {
        throw new Error('boom');
      },
    ],
  ])('deregisters all the same when finish %s', async (_what, finish) => {
    const { backend, clock, logger, registry } = setUp();
    const registration = await registry.register(orders);

    const draining = registration.drain({ finish });
    await clock.advance(2_000);
    await draining;

    expect(backend.stored.size).toBe(0);
    expect(logger.at('warn')).toEqual(['warn: The finish callback of "orders-1" of service "orders" failed']);
  });

  it('finishes the work of a registration that another process replaced', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    backend.lose('orders-1', 'replaced');
    await clock.advance(0);
    let finished = false;

    await registration.drain({ finish: async () => void (finished = true) });

    expect(finished).toBe(true);
    expect(registration.state.value).toBe('deregistered');
  });

  it('marks a lost registration when the store comes back in time', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    backend.lose('orders-1', 'store-lost');
    await clock.advance(0);

    const draining = registration.drain();
    await clock.advance(1_500);

    expect(backend.stored.get('orders-1')?.status).toBe('draining');
    await clock.advance(5_000);
    await draining;
  });
});

describe('drain of a server', () => {
  it('accepts until consumers had time to hear, answers what is in flight, then is closed', async () => {
    const { backend, registry } = setUp({ clock: systemClock });
    const { server, port, arrived, reply } = await slowServer();
    const registration = await registry.register({ ...orders, port, server });
    const inFlight = request(port);
    await arrived();

    const draining = registration.drain({ propagationMs: 30 });
    await becomes(() => backend.stored.get('orders-1')?.status === 'draining');
    expect(server.listening).toBe(true);
    await becomes(() => !server.listening);
    expect(backend.stored.size).toBe(1);
    reply();
    await draining;

    expect((await inFlight).statusCode).toBe(200);
    expect(backend.stored.size).toBe(0);
  });

  it('answers what is in flight also where the store was never there', async () => {
    const { backend, registry } = setUp({ clock: systemClock });
    backend.onRegister = unavailable;
    const { server, port, arrived, reply } = await slowServer();
    const registering = rejection(registry.register({ ...orders, port, server }));
    const inFlight = request(port);
    await arrived();

    const draining = registry.drain();
    await becomes(() => !server.listening);
    reply();
    await draining;

    expect((await inFlight).statusCode).toBe(200);
    expect(await registering).toBeInstanceOf(ClosedError);
  });

  it('is not held up by a connection that is kept alive after its last answer', async () => {
    const { registry } = setUp({ clock: systemClock });
    const { server, port, arrived, reply } = await slowServer();
    server.keepAliveTimeout = 60_000;
    const registration = await registry.register({ ...orders, port, server });
    const inFlight = request(port, new Agent({ keepAlive: true }));
    await arrived();
    const sweep = vi.spyOn(server, 'closeIdleConnections');

    const draining = registration.drain({ propagationMs: 0 });
    await becomes(() => sweep.mock.calls.length >= 2); // by close(), and once more: still busy
    const repliedAt = performance.now();
    reply();
    (await inFlight).resume();
    await draining;

    expect(performance.now() - repliedAt).toBeLessThan(2_000);
  });

  it('is not held up by a connection over which nothing was ever asked', async () => {
    const { logger, registry } = setUp({ clock: systemClock });
    const { server, port } = await slowServer();
    const registration = await registry.register({ ...orders, port, server });
    const socket = connect(port, '127.0.0.1');
    await once(server, 'connection');

    await registration.drain({ propagationMs: 0, timeoutMs: 4_000 });
    socket.destroy();

    expect(logger.at('warn')).toEqual([]);
  });

  it('cuts off what is still in flight when the time is up', async () => {
    const { logger, registry } = setUp({ clock: systemClock });
    const { server, port, arrived } = await slowServer();
    const registration = await registry.register({ ...orders, port, server });
    const inFlight = rejection(request(port));
    await arrived();

    await registration.drain({ propagationMs: 0, timeoutMs: 100 });

    expect(await inFlight).toMatchObject({ code: 'ECONNRESET' });
    expect(logger.at('warn')).toEqual([
      'warn: "orders-1" of service "orders" could not finish its work in time; it is cut off',
    ]);
  });

  it('closes a plain TCP server too', async () => {
    const { registry } = setUp({ clock: systemClock });
    const server = createTcpServer((socket) => socket.end('bye'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const registration = await registry.register({ service: 'orders', server });
    const socket = connect(registration.instance.port, '127.0.0.1').resume();
    await once(socket, 'close');

    await registration.drain({ propagationMs: 0 });

    expect(server.listening).toBe(false);
  });

  it('is not held up by an HTTP/2 session that is idle, and answers what is in flight', async () => {
    const { registry, logger } = setUp({ clock: systemClock });
    const waiting: (() => void)[] = [];
    const server = createHttp2Server((_request, response) => {
      waiting.push(() => response.end('done'));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const registration = await registry.register({ service: 'orders', server });
    const session = connectHttp2(`http://127.0.0.1:${registration.instance.port}`);
    onTestFinished(() => session.destroy());
    const stream = session.request();
    let status: number | undefined;
    stream.on('response', (headers) => (status = headers[':status']));
    await becomes(() => waiting.length === 1);

    const draining = registration.drain({ propagationMs: 0 });
    await becomes(() => !server.listening);
    for (const reply of waiting) reply();
    await once(stream.resume(), 'end');
    await draining;

    expect(status).toBe(200);
    expect(logger.at('warn')).toEqual([]);
  });

  it.each([
    ['when it has answered', 10_000],
    ['after half of the time', 400],
  ])('tells an HTTP/2 session that is busy to go away %s', async (_when, timeoutMs) => {
    const { registry } = setUp({ clock: systemClock });
    const waiting: (() => void)[] = [];
    const server = createHttp2Server((_request, response) => {
      waiting.push(() => response.end('done'));
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const registration = await registry.register({ service: 'orders', server });
    const session = connectHttp2(`http://127.0.0.1:${registration.instance.port}`);
    onTestFinished(() => session.destroy());
    const seen: string[] = [];
    session.on('error', () => undefined); // it may be cut off
    session.on('goaway', () => seen.push('go away'));
    const stream = session.request().resume();
    stream.on('error', () => undefined);
    stream.on('close', () => seen.push('end'));
    await becomes(() => waiting.length === 1);

    const draining = registration.drain({ propagationMs: 0, timeoutMs });
    await sleep(systemClock, 100);
    expect(seen).toEqual([]);
    if (timeoutMs > 1_000) for (const reply of waiting) reply();
    await draining;
    if (!session.closed) await once(session, 'close');

    expect(seen[0]).toBe(timeoutMs > 1_000 ? 'end' : 'go away');
  });

  it.each([
    ['of plain TCP', () => createTcpServer((socket) => socket.write('hello')), ''],
    [
      'that was upgraded',
      () => createServer().on('upgrade', (_request, socket) => socket.write('HTTP/1.1 101 Upgraded\r\n\r\n')),
      'GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: own\r\n\r\n',
    ],
  ])('cuts off a connection %s when the time is up', async (_what, make, greeting) => {
    const { registry } = setUp({ clock: systemClock });
    const server = make();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const registration = await registry.register({ service: 'orders', server });
    const socket = connect(registration.instance.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    socket.write(greeting);
    await once(socket, 'data');
    const closed = once(socket, 'close');

    await registration.drain({ propagationMs: 0, timeoutMs: 100 });

    await closed;
    expect(server.listenerCount('session')).toBe(0);
  });

  it('does not mind a server that is closed already', async () => {
    const { backend, registry } = setUp({ clock: systemClock });
    const { server, port } = await slowServer();
    const registration = await registry.register({ ...orders, port, server });
    server.close();

    await registration.drain({ propagationMs: 0 });

    expect(backend.stored.size).toBe(0);
  });
});

/** Answers nothing until `reply()`. */
async function slowServer() {
  const waiting: (() => void)[] = [];
  const server: Server = createServer((_request, response) => {
    waiting.push(() => response.end('done'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  return {
    server,
    port: address.port,
    arrived: () => becomes(() => waiting.length > 0),
    reply: () => waiting.forEach((answerOne) => answerOne()),
  };
}

function request(port: number, agent?: Agent): Promise<IncomingMessage> {
  if (agent !== undefined) onTestFinished(() => agent.destroy());
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, agent }, resolve).on('error', reject);
  });
}

async function becomes(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1));
}
