import { ServiceClient } from '@sd/client';
import { BackendUnavailableError, ClosedError } from '@sd/core';
import { DiscoveryClient } from '@sd/discovery';
import { SelfCheck } from '@sd/health';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { eventually, silentLogger } from '@sd/testkit';
import fastify from 'fastify';
import { EventEmitter, once } from 'node:events';
import { Agent, get } from 'node:http';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { sd, type SdFastifyOptions } from '../src/index.ts';

function makeBackend(): MemoryBackend {
  const backend = new MemoryBackend({ store: new MemoryStore() });
  onTestFinished(() => backend.close());
  return backend;
}

/** An app with this plugin that closes when the test ends; it does not listen yet. */
function makeApp(options: SdFastifyOptions) {
  const app = fastify();
  app.register(sd, { registry: { drain: { propagationMs: 0 } }, ...options });
  app.get('/orders/:id', async ({ params }) => params);
  onTestFinished(() => app.close());
  return app;
}

const orders = { service: 'orders', host: '127.0.0.1' };

describe('an app', () => {
  it('is published once it listens, not before', async () => {
    const backend = makeBackend();
    const app = makeApp({ backend, service: orders });
    await app.ready();
    expect(await backend.getInstances('orders')).toEqual([]);

    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    const [instance] = await eventually(async () => {
      const found = await backend.getInstances('orders');
      expect(found).toHaveLength(1);
      return found;
    });

    expect(url).toBe(`http://127.0.0.1:${instance?.port}`);
    expect(await app.serviceClient('orders').get('/orders/7').json()).toEqual({ id: '7' });
  });

  it('drains when it closes: it is marked, still answers, and is gone then', async () => {
    const backend = makeBackend();
    const app = makeApp({ backend, service: orders, registry: { drain: { propagationMs: 300 } } });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    await eventually(async () => expect(await backend.getInstances('orders')).toHaveLength(1));

    const closing = app.close();
    await eventually(async () =>
      expect(await backend.getInstances('orders')).toMatchObject([{ status: 'draining' }]),
    );
    const response = await fetch(`${url}/orders/8`, { headers: { connection: 'close' } });
    expect(response.status).toBe(200);
    await closing;

    expect(await backend.getInstances('orders')).toEqual([]);
    await expect(fetch(`${url}/orders/9`)).rejects.toThrow('fetch failed');
  });

  it('answers what is in flight, and its clients work until then', async () => {
    const events = new EventEmitter();
    const app = makeApp({ backend: makeBackend(), service: orders });
    app.get('/slow', async () => {
      events.emit('asked');
      await once(events, 'answer');
      return `${(await app.discovery.getInstances('others')).length} others`;
    });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    const asked = once(events, 'asked');
    const calling = fetch(`${url}/slow`, { headers: { connection: 'close' } });
    await asked;

    const closing = app.close();
    await eventually(() => expect(app.server.listening).toBe(false));
    events.emit('answer');

    expect(await (await calling).text()).toBe('0 others');
    await closing;
    await expect(app.discovery.services()).rejects.toBeInstanceOf(ClosedError);
    await expect(app.serviceClient('orders').get('/')).rejects.toBeInstanceOf(ClosedError);
  });

  it('is not held up by a connection that is kept alive after its last answer', async () => {
    const backend = makeBackend();
    const events = new EventEmitter();
    const app = makeApp({ backend, service: orders });
    app.get('/slow', async () => {
      events.emit('asked');
      await once(events, 'answer');
      return 'done';
    });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    await eventually(async () => expect(await backend.getInstances('orders')).toHaveLength(1));
    const agent = new Agent({ keepAlive: true });
    onTestFinished(() => agent.destroy());
    const asked = once(events, 'asked');
    get(`${url}/slow`, { agent }, (response) => response.resume());
    await asked;

    const closing = app.close();
    await eventually(() => expect(app.server.listening).toBe(false));
    events.emit('answer');

    await closing; // Fastify's own would take 72 s
  });

  it('answers probes, which fail while it drains', async () => {
    const backend = makeBackend();
    const selfCheck = new SelfCheck({ checks: {} });
    onTestFinished(() => selfCheck.close());
    const registry = { drain: { propagationMs: 300 } };
    const app = makeApp({ backend, service: orders, selfCheck, health: { readyPath: '/ready' }, registry });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    const statusOf = async (path: string) =>
      (await fetch(`${url}${path}`, { headers: { connection: 'close' } })).status;
    await eventually(async () => expect(await statusOf('/ready')).toBe(200));
    await eventually(async () => expect(await backend.getInstances('orders')).toHaveLength(1));

    const closing = app.close();

    await eventually(async () => expect(await statusOf('/ready')).toBe(503));
    expect(await statusOf('/health/live')).toBe(200);
    await closing;
  });

  it('ends what its checks report to: they may be of the next app, too', async () => {
    const backend = makeBackend();
    const selfCheck = new SelfCheck({ checks: {} });
    onTestFinished(() => selfCheck.close());
    const app = makeApp({ backend, service: orders, selfCheck });
    await app.listen({ port: 0, host: '127.0.0.1' });
    await eventually(async () => expect(await backend.getInstances('orders')).toHaveLength(1));
    await app.close();

    const next = makeApp({ backend, selfCheck });
    expect((await next.inject('/health/ready')).statusCode).toBe(200);
  });

  it('that is no service only calls others, with one client for each', async () => {
    const backend = makeBackend();
    const app = makeApp({ backend });
    await app.listen({ port: 0, host: '127.0.0.1' });
    expect(app.discovery).toBeInstanceOf(DiscoveryClient);
    expect(app.serviceClient('orders')).toBeInstanceOf(ServiceClient);
    expect(app.serviceClient('orders')).toBe(app.serviceClient('orders'));
    expect(await backend.listServices()).toEqual([]);
  });

  it('that the store refuses goes on, and says so in its log', async () => {
    const backend = makeBackend();
    await backend.close();
    const errors: string[] = [];
    const logger = { ...silentLogger, error: (message: string) => errors.push(message) };
    const app = makeApp({ backend, service: 'orders', registry: { logger } });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    await eventually(() => expect(errors).toEqual(['The app is not registered as "orders"']));
    expect((await fetch(`${url}/orders/7`)).status).toBe(200);
  });

  it('does what else is to be done once it listens, also while the store is down', async () => {
    const backend = makeBackend();
    vi.spyOn(backend, 'register').mockRejectedValue(new BackendUnavailableError('memory', 'down'));
    const app = makeApp({ backend, service: 'orders', registry: { logger: silentLogger } });
    await app.after();
    const done = new Promise<string>((resolve) => {
      app.addHook('onListen', async () => resolve('done'));
    });
    await app.listen({ port: 0, host: '127.0.0.1' });
    expect(await done).toBe('done');
  });

  it('shares nothing with another one in the process', async () => {
    const backend = makeBackend();
    const [one, two] = [makeApp({ backend, service: orders }), makeApp({ backend, service: orders })];
    await Promise.all([
      one.listen({ port: 0, host: '127.0.0.1' }),
      two.listen({ port: 0, host: '127.0.0.1' }),
    ]);
    await eventually(async () => expect(await backend.getInstances('orders')).toHaveLength(2));
    await one.close();
    expect(await backend.getInstances('orders')).toMatchObject([{ status: 'healthy' }]);
  });
});

describe('a wrong option is named:', () => {
  it.each([
    // @ts-expect-error -- it needs one
    ['no backend', () => makeApp({}), 'backend'],
    // @ts-expect-error -- no such option
    ['an unknown option', () => makeApp({ backend: makeBackend(), servce: 'orders' }), 'servce'],
    ['an empty name', () => makeApp({ backend: makeBackend(), service: '' }), 'service'],
    // @ts-expect-error -- no such field
    ['an unknown field', () => makeApp({ backend: makeBackend(), service: { ...orders, wait: 1 } }), 'wait'],
    [
      'paths for probes, and nothing to tell',
      () => makeApp({ backend: makeBackend(), health: {} }),
      'selfCheck',
    ],
    [
      'what acts on signals beside the app',
      // @ts-expect-error -- whoever hears of a signal closes the app
      () => makeApp({ backend: makeBackend(), registry: { shutdownSignals: ['SIGTERM'] } }),
      'registry',
    ],
  ])('%s', async (_what, make, field) => {
    await expect(make().ready()).rejects.toMatchObject({ code: 'ERR_SD_CONFIG', field });
  });

  it('a service, with a backend that only reads', async () => {
    const backend = makeBackend();
    const { name, malformed } = backend;
    const readOnly = {
      name,
      malformed,
      listServices: () => backend.listServices(),
      getInstances: (service: string) => backend.getInstances(service),
      watch: (service: string, options: { signal: AbortSignal }) => backend.watch(service, options),
      close: () => backend.close(),
      [Symbol.asyncDispose]: () => backend.close(),
    };
    await expect(makeApp({ backend: readOnly, service: 'orders' }).ready()).rejects.toMatchObject({
      code: 'ERR_SD_CONFIG',
      field: 'backend',
    });
    await expect(makeApp({ backend: readOnly }).ready()).resolves.toBeDefined();
  });
});
