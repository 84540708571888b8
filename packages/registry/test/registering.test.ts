import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AccessDeniedError,
  ClosedError,
  ConfigValidationError,
  type Clock,
  type Timer,
  ManualClock,
} from '@sd/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import { detectHost, ServiceRegistry, type ListeningServer, type RegistrationInit } from '../src/index.ts';
import { orders, rejection, setUp, unavailable } from './fixture.ts';
import { answer, never, ScriptedBackend } from './scripted-backend.ts';

describe('register', () => {
  it('resolves when the instance is published', async () => {
    const { backend, registry } = setUp();
    const stored = answer();
    backend.onRegister = () => stored.promise;

    const registering = registry.register(orders);
    expect(backend.stored.size).toBe(0);
    stored.give();
    const registration = await registering;

    expect(backend.stored.get('orders-1')).toEqual(registration.instance);
    expect(registration.state.value).toBe('published');
  });

  it('fills in what the defaults of the registry say, and what nobody says', async () => {
    const { clock, registry } = setUp({
      defaults: { zone: 'eu-1a', tags: ['blue'], weight: 3, version: '1.0.0' },
    });

    const { instance } = await registry.register({ ...orders, version: '2.0.0' });

    expect(instance).toEqual({
      ...orders,
      protocol: 'http',
      version: '2.0.0',
      zone: 'eu-1a',
      weight: 3,
      priority: 0,
      tags: ['blue'],
      metadata: {},
      status: 'healthy',
      registeredAt: clock.now(),
      updatedAt: clock.now(),
    });
  });

  it('gives the same process identity the same id after a restart', async () => {
    const before = await setUp().registry.register({ service: 'orders', host: '10.0.0.1', port: 8080 });
    const after = await setUp().registry.register({ service: 'orders', host: '10.0.0.1', port: 8080 });

    expect(after.instance.id).toBe('orders-10.0.0.1-8080');
    expect(after.instance.id).toBe(before.instance.id);
  });

  it('detects the host when none is given', async () => {
    const { instance } = await setUp().registry.register({ service: 'orders', port: 8080 });

    expect(instance.host).toBe(detectHost());
  });

  it('passes the ttl on to the backend', async () => {
    const { backend, registry } = setUp({ ttlMs: 5_000 });
    const ttls: number[] = [];
    backend.onRegister = (_instance, { ttl }) => void ttls.push(ttl);

    await registry.register(orders);

    expect(ttls).toEqual([5_000]);
  });
});

describe('register with a server', () => {
  it('takes the port of the server, and its host when that is bound to one address', async () => {
    const server = await listening(createServer(), '127.0.0.1');

    const { instance } = await setUp().registry.register({ service: 'orders', server });

    expect(instance).toMatchObject({ host: '127.0.0.1', port: portOf(server), protocol: 'http' });
  });

  it.each(['0.0.0.0', '::'])('detects the host of a server that is bound to %s', async (address) => {
    const server: ListeningServer = { address: () => ({ address, port: 8080 }), close: () => undefined };

    const { instance } = await setUp().registry.register({ service: 'orders', server });

    expect(instance.host).toBe(detectHost());
  });

  it('lets a registration say under which port and host others reach the server', async () => {
    const server = await listening(createServer(), '127.0.0.1');

    const { instance } = await setUp().registry.register({
      service: 'orders',
      server,
      host: 'edge.example',
      port: 443,
    });

    expect(instance).toMatchObject({ host: 'edge.example', port: 443 });
  });

  it('knows that an https server speaks https', async () => {
    const server = await listening(createHttpsServer(), '127.0.0.1');

    const { instance } = await setUp().registry.register({ service: 'orders', server });

    expect(instance.protocol).toBe('https');
  });

  it('takes a server on a pipe that others reach through a port', async () => {
    const path = join(tmpdir(), `sd-${process.pid}-front.sock`);
    const server = createServer().listen(path);
    await once(server, 'listening');
    onTestFinished(() => void server.close());

    const { instance } = await setUp().registry.register({
      service: 'orders',
      server,
      host: '10.0.0.7',
      port: 443,
    });

    expect(instance).toMatchObject({ host: '10.0.0.7', port: 443 });
  });

  it('refuses a server that is not listening', async () => {
    const error = await rejection(setUp().registry.register({ service: 'orders', server: createServer() }));

    expect(error).toBeInstanceOf(ConfigValidationError);
    expect(error).toMatchObject({
      field: 'server',
      expected: 'one that is: register after its "listening" event',
    });
  });

  it('refuses a server that listens on a pipe', async () => {
    const server = createTcpServer();
    server.listen(join(tmpdir(), `sd-registry-${process.pid}.sock`));
    await once(server, 'listening');
    onTestFinished(() => void server.close());

    const error = await rejection(setUp().registry.register({ service: 'orders', server }));

    expect(error).toMatchObject({ field: 'server', expected: 'one that listens on a TCP port' });
  });
});

describe('a wrong registration', () => {
  const wrong: [string, string, object | undefined][] = [
    ['an empty service name', 'service', { ...orders, service: '' }],
    ['a service name with a slash', 'service', { ...orders, service: 'or/ders' }],
    ['a port of 70000', 'port', { ...orders, port: 70_000 }],
    ['no port and no server', 'port', { service: 'orders' }],
    ['a wildcard as host', 'host', { ...orders, host: '0.0.0.0' }],
    ['a broken id', 'id', { ...orders, id: 'a/b' }],
    ['a negative weight', 'weight', { ...orders, weight: -1 }],
    ['an unknown status', 'status', { ...orders, status: 'fine' }],
    ['a misspelt field', 'prot', { ...orders, prot: 'http' }],
    ['something that is no server', 'server', { service: 'orders', server: { listen: true } }],
    ['nothing', '', undefined],
  ];

  it.each(wrong)('is refused at once: %s', async (_what, field, init) => {
    const { backend, registry } = setUp();

    const error = await rejection(registry.register(init as RegistrationInit));

    expect(error).toBeInstanceOf(ConfigValidationError);
    expect(error).toMatchObject({ field });
    expect(backend.requests).toEqual([]);
  });

  it.each([
    ['host', { ...orders, host: null }, {}],
    ['protocol', { ...orders, protocol: null }, {}],
    ['signal', orders, { signal: 5 }],
    ['sgnal', orders, { sgnal: AbortSignal.abort() }],
    ['', orders, null],
  ])('is refused where something is given that is none: %s', async (field, init, options) => {
    const registering = setUp().registry.register(init as RegistrationInit, options as never);
    expect(await rejection(registering)).toMatchObject({ code: 'ERR_SD_CONFIG', field });
  });

  it('is refused when the id is registered here already', async () => {
    const { registry } = setUp();
    await registry.register(orders);

    const error = await rejection(registry.register({ ...orders, weight: 2 }));

    expect(error).toMatchObject({ code: 'ERR_SD_CONFIG', field: 'id', service: 'orders' });
  });

  it('is no obstacle to a right one', async () => {
    const { registry } = setUp();
    const first = await registry.register(orders);
    await first.deregister();

    const second = await registry.register(orders);

    expect(registry.registrations).toEqual([second]);
  });
});

describe('a registration without a port', () => {
  it('is told what else is wrong, as that may be why', async () => {
    const { registry } = setUp();
    const misspelled = { service: 'orders', sevrer: {} } as unknown as RegistrationInit;
    await expect(registry.register(misspelled)).rejects.toMatchObject({
      issues: [
        { field: 'port', expected: 'a port, or a server that has one' },
        { field: 'sevrer', received: 'an unknown option' },
      ],
    });
  });
});

describe('a wrong option', () => {
  const backend = new ScriptedBackend();
  const wrong: [string, object | undefined][] = [
    ['backend', {}],
    ['backend', { backend: { name: 'static', watch: () => undefined } }],
    ['ttlMs', { backend, ttlMs: 0 }],
    ['ttlMs', { backend, ttlMs: '30s' }],
    ['defaults.weight', { backend, defaults: { weight: -1 } }],
    ['defaults.port', { backend, defaults: { port: 80 } }],
    ['defaults.host', { backend, defaults: { host: 'a b' } }],
    ['defaults.host', { backend, defaults: { host: null } }],
    ['shutdownSignals.0', { backend, shutdownSignals: ['SIGKILL'] }],
    ['drain.timeoutMs', { backend, drain: { timeoutMs: -1 } }],
    ['drain.finish', { backend, drain: { finish: true } }],
    ['clock', { backend, clock: Date }],
    ['rng', { backend, rng: 4 }],
    ['clock', { backend, clock: { setTimer: () => undefined } }],
    ['logger', { backend, logger: { warn: () => undefined } }],
    ['ttl', { backend, ttl: 30 }],
    ['', undefined],
  ];

  it.each(wrong)('is named: %s of %o', (field, options) => {
    expect(() => new ServiceRegistry(options as never)).toThrow(expect.objectContaining({ field }));
  });
});

describe('register while the store is unavailable', () => {
  it('keeps trying until it works, and warns once', async () => {
    const { backend, clock, logger, registry } = setUp();
    backend.onRegister = unavailable;

    const registering = registry.register(orders);
    await clock.advance(600_000);
    expect(backend.requests.length).toBeGreaterThan(60);
    expect(logger.at('warn')).toHaveLength(1);

    backend.onRegister = () => undefined;
    await clock.advance(10_000);
    expect((await registering).state.value).toBe('published');
    expect(logger.at('info')).toEqual(['info: Published "orders-1" of service "orders" again']);
  });

  it('waits a random time between tries, at most a third of the ttl', async () => {
    const { backend, clock, registry } = setUp({ ttlMs: 30_000, rng: () => 0.999 });
    const triedAt: number[] = [];
    backend.onRegister = () => {
      triedAt.push(clock.monotonic());
      return unavailable();
    };

    const registering = registry.register(orders);
    await clock.advance(60_000);

    const pauses = triedAt.slice(1).map((at, index) => Math.round(at - triedAt[index]!));
    expect(pauses.slice(0, 6)).toEqual([999, 1_998, 3_996, 7_992, 9_990, 9_990]);
    await registry.close();
    await rejection(registering);
  });

  it('stops when its signal aborts, and leaves nothing behind', async () => {
    const { backend, clock, registry } = setUp();
    backend.onRegister = unavailable;
    const abort = new AbortController();

    const registering = registry.register(orders, { signal: abort.signal });
    await clock.advance(5_000);
    abort.abort(new Error('too slow'));

    expect(await rejection(registering)).toEqual(new Error('too slow'));
    const tries = backend.requests.length;
    await clock.advance(60_000);
    expect(backend.requests).toHaveLength(tries);
    expect(registry.registrations).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('can be tried again at once when it was given up', async () => {
    const { backend, clock, registry } = setUp();
    const late = answer();
    backend.onRegister = () => late.promise;
    const abort = new AbortController();
    const givenUp = rejection(registry.register(orders, { signal: abort.signal }));
    abort.abort(new Error('too slow'));
    expect(await givenUp).toEqual(new Error('too slow'));
    backend.onRegister = () => undefined;

    const registering = registry.register({ ...orders, weight: 2 });
    late.give();
    await clock.advance(0);

    expect((await registering).state.value).toBe('published');
    expect(backend.stored.get('orders-1')?.weight).toBe(2);
    expect(backend.requests).toEqual(['register orders-1', 'release orders-1', 'register orders-1']);
  });

  it('does not begin when the registry closes while it waits for its place', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    backend.onRelease = never;
    void registration.deregister();

    const registering = rejection(registry.register(orders));
    const closing = registry.close();
    await clock.advance(5_000);
    await closing;

    expect(await registering).toBeInstanceOf(ClosedError);
    expect(registry.registrations).toEqual([]);
  });

  it('asks nothing of the store when its signal has aborted before', async () => {
    const { backend, registry } = setUp();

    await rejection(registry.register(orders, { signal: AbortSignal.abort() }));

    expect(backend.requests).toEqual([]);
  });

  it('rejects at once when access is denied', async () => {
    const { backend, clock, registry } = setUp();
    const denied = new AccessDeniedError('scripted', 'wrong token');
    backend.onRegister = () => Promise.reject(denied);

    expect(await rejection(registry.register(orders))).toBe(denied);
    await clock.advance(60_000);
    expect(backend.requests).toEqual(['register orders-1']);
    expect(registry.registrations).toEqual([]);
  });

  it('rejects at once when the store cannot hold the instance', async () => {
    const { backend, registry } = setUp();
    const tooLong = new ConfigValidationError('Consul', [
      { field: 'metadata', received: 'much', expected: 'less' },
    ]);
    backend.onRegister = () => Promise.reject(tooLong);

    expect(await rejection(registry.register(orders))).toBe(tooLong);
  });

  it('rejects at once when the backend is closed', async () => {
    const { backend, registry } = setUp();
    backend.onRegister = () => Promise.reject(new ClosedError('ScriptedBackend'));

    expect(await rejection(registry.register(orders))).toBeInstanceOf(ClosedError);
  });

  it('gives up on a try after 10 s, tells the backend so, and tries again', async () => {
    const { backend, clock, registry } = setUp();
    const signals: (AbortSignal | undefined)[] = [];
    backend.onRegister = (_instance, { signal }) => {
      signals.push(signal);
      return signals.length === 1 ? never() : undefined;
    };

    const registering = registry.register(orders);
    await clock.advance(11_000);

    expect((await registering).state.value).toBe('published');
    expect(signals.map((signal) => signal?.aborted)).toEqual([true, false]);
  });

  it('keeps the process alive while a caller waits, and no longer', async () => {
    const clock = new HoldingClock();
    const { backend, registry } = setUp({ clock });
    backend.onRegister = unavailable;

    const registering = registry.register(orders);
    expect(clock.held).toBe(1);
    backend.onRegister = () => undefined;
    await clock.advance(1_000);
    await registering;
    expect(clock.held).toBe(0);

    backend.onRegister = unavailable;
    backend.lose('orders-1', 'expired');
    await clock.advance(60_000);
    expect(clock.held).toBe(0);
  });
});

/** Counts the timers that keep the process alive. */
class HoldingClock extends ManualClock implements Clock {
  held = 0;

  override setTimer(
    callback: () => void,
    delayMs: number,
    options?: { readonly keepAlive?: boolean },
  ): Timer {
    const timer = super.setTimer(callback, delayMs);
    if (options?.keepAlive !== true) return timer;
    this.held += 1;
    return {
      cancel: () => {
        this.held -= 1;
        timer.cancel();
      },
    };
  }
}

async function listening<S extends Server>(server: S, host: string): Promise<S> {
  server.listen(0, host);
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  return server;
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  return address.port;
}
