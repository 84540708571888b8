import { Controller, Get } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClosedError } from '@sd/core';
import { DiscoveryClient } from '@sd/discovery';
import { SelfCheck } from '@sd/health';
import { eventually, silentLogger } from '@sd/testkit';
import { EventEmitter, once } from 'node:events';
import { Server } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DiscoveryModule, InjectDiscoveryClient, SdRuntime } from '../src/index.ts';
import { adapters, hasty, makeApp, makeBackend, makeConsumer, makeOrders, quiet } from './fixture.ts';

describe.each(adapters)('an app on %s', (_name, makeAdapter) => {
  it('is published once it listens, not before', async () => {
    const backend = makeBackend();
    const app = await makeOrders({ backend }, makeAdapter());
    await app.init();
    expect(await backend.getInstances('orders')).toEqual([]);

    await app.listen(0, '127.0.0.1');
    const { instance } = await app.get(SdRuntime).registration;

    expect(await backend.getInstances('orders')).toEqual([instance]);
    expect(await app.getUrl()).toContain(`:${instance.port}`);
    expect(await makeConsumer(backend).get('/orders/7').json()).toEqual({ id: '7' });
  });

  it('drains when it closes: it is marked, still answers, and is gone then', async () => {
    const backend = makeBackend();
    const app = await makeOrders({ backend, registry: { drain: { propagationMs: 300 } } }, makeAdapter());
    await app.listen(0, '127.0.0.1');
    const { instance } = await app.get(SdRuntime).registration;

    const closing = app.close();
    await eventually(async () =>
      expect(await backend.getInstances('orders')).toMatchObject([{ status: 'draining' }]),
    );
    const response = await fetch(`http://127.0.0.1:${instance.port}/orders/8`);
    expect(await response.json()).toEqual({ id: '8' });
    await closing;

    expect(await backend.getInstances('orders')).toEqual([]);
    await expect(fetch(`http://127.0.0.1:${instance.port}/orders/9`)).rejects.toThrow('fetch failed');
  });

  it('answers what is in flight, and its clients work until then', async () => {
    const events = new EventEmitter();
    @Controller('slow')
    class SlowController {
      constructor(@InjectDiscoveryClient() private readonly discovery: DiscoveryClient) {}

      @Get()
      async find(): Promise<string> {
        events.emit('asked');
        await once(events, 'answer');
        return `${(await this.discovery.getInstances('others')).length} others`;
      }
    }
    const backend = makeBackend();
    const imports = [DiscoveryModule.forRoot({ backend, service: 'orders', ...hasty })];
    const app = await makeApp({ imports, controllers: [SlowController] }, makeAdapter());
    const server: unknown = await app.listen(0, '127.0.0.1');
    const asked = once(events, 'asked');
    const calling = fetch(`${await app.getUrl()}/slow`, { headers: { connection: 'close' } });
    await asked;

    const closing = app.close();
    await eventually(() => expect(server).toHaveProperty('listening', false));
    events.emit('answer');

    expect(await (await calling).text()).toBe('0 others');
    await closing;
    await expect(app.get(DiscoveryClient).services()).rejects.toBeInstanceOf(ClosedError);
  });
});

describe('an app', () => {
  it('drains on a signal, with enableShutdownHooks()', async () => {
    const backend = makeBackend();
    const app = await makeOrders({ backend });
    app.enableShutdownHooks(['SIGUSR2']);
    await app.listen(0, '127.0.0.1');
    await app.get(SdRuntime).registration;

    // Nest ends by sending the signal to itself again; the test survives that.
    const sentAgain = new Promise<void>((resolve) => {
      const listener = (): void => {
        if (app.get(SdRuntime).registry.registrations.length === 0) resolve();
      };
      process.on('SIGUSR2', listener);
      onTestFinished(() => void process.off('SIGUSR2', listener));
    });
    process.kill(process.pid, 'SIGUSR2');
    await sentAgain;

    expect(await backend.getInstances('orders')).toEqual([]);
  });

  it('is published when its server is told to listen without Nest', async () => {
    const backend = makeBackend();
    const app = await makeOrders({ backend });
    await app.init();
    const server: unknown = app.getHttpServer();
    if (server instanceof Server) server.listen(0, '127.0.0.1');
    await app.get(SdRuntime).registration;
    expect(await backend.getInstances('orders')).toHaveLength(1);
  });

  it('publishes what its checks find', async () => {
    const backend = makeBackend();
    const selfCheck = new SelfCheck({
      checks: { database: { check: () => false, optional: true } },
      failureThreshold: 1,
      logger: silentLogger,
    });
    onTestFinished(() => selfCheck.close());
    const app = await makeOrders({ backend, selfCheck });
    await app.listen(0, '127.0.0.1');
    await eventually(async () =>
      expect(await backend.getInstances('orders')).toMatchObject([{ status: 'degraded' }]),
    );
  });

  it('that is no service only calls others', async () => {
    const backend = makeBackend();
    const app = await makeApp({ imports: [DiscoveryModule.forRoot({ backend })] });
    await app.listen(0, '127.0.0.1');
    await app.close();
    expect(await backend.listServices()).toEqual([]);
  });

  it('that closes before it listens is never published', async () => {
    const backend = makeBackend();
    const app = await makeOrders({ backend });
    await app.init();
    const { registration } = app.get(SdRuntime);
    await app.close();
    await expect(registration).rejects.toBeInstanceOf(ClosedError);
    expect(await backend.listServices()).toEqual([]);
  });

  it('that closes while it is told to listen is never published, and ends nothing else', async () => {
    const unhandled: unknown[] = [];
    const hear = (error: unknown): unknown => unhandled.push(error);
    process.on('unhandledRejection', hear);
    onTestFinished(() => void process.off('unhandledRejection', hear));
    class Slow {
      readonly onApplicationBootstrap = () => new Promise((resolve) => setTimeout(resolve, 50));
    }
    const backend = makeBackend();
    const root = DiscoveryModule.forRoot({ backend, service: 'orders', ...hasty });
    const app = await makeApp({ imports: [root], providers: [Slow] });
    const listening = app.listen(0, '127.0.0.1');
    await new Promise((resolve) => setTimeout(resolve, 10));

    await app.close();
    const server: unknown = await listening;
    await new Promise((resolve) => setTimeout(resolve, 20));

    expect(unhandled).toEqual([]);
    expect(await backend.listServices()).toEqual([]);
    if (server instanceof Server) server.close(); // Nest leaves it open
  });

  it('ends what its checks report to: they may be of the next app, too', async () => {
    const selfCheck = new SelfCheck({ checks: {} });
    onTestFinished(() => selfCheck.close());
    const app = await makeOrders({ backend: makeBackend(), selfCheck });
    await app.listen(0, '127.0.0.1');
    await app.get(SdRuntime).registration;
    await app.close();
    expect(selfCheck.readiness).toBe('healthy');
  });

  it('whose checks have ended is registered all the same, and says so in its log', async () => {
    const selfCheck = new SelfCheck({ checks: {} });
    selfCheck.close();
    const errors: string[] = [];
    const logger = { ...silentLogger, error: (message: string) => errors.push(message) };
    const app = await makeOrders({
      backend: makeBackend(),
      selfCheck,
      registry: { ...hasty.registry, logger },
    });
    await app.listen(0, '127.0.0.1');
    expect((await app.get(SdRuntime).registration).instance.service).toBe('orders');
    expect(errors).toEqual(['The app is registered, and what its checks find is not published']);
  });

  it('that the store refuses goes on, and says so in its log', async () => {
    const backend = makeBackend();
    await backend.close();
    const errors: unknown[] = [];
    const logger = { ...silentLogger, error: (message: string) => errors.push(message) };
    const app = await makeOrders({ backend, registry: { logger } });
    await app.listen(0, '127.0.0.1');
    await expect(app.get(SdRuntime).registration).rejects.toBeInstanceOf(ClosedError);
    expect(errors).toEqual(['The app is not registered']);
    expect((await fetch(`${await app.getUrl()}/orders/7`)).status).toBe(200);
  });

  it('without HTTP is not registered by the module, which says so', async () => {
    const module = DiscoveryModule.forRoot({ backend: makeBackend(), service: 'orders' });
    const starting = NestFactory.createApplicationContext(module, quiet);
    await expect(starting).rejects.toMatchObject({ code: 'ERR_SD_CONFIG', field: 'service' });
  });

  it('shares nothing with another one in the process', async () => {
    const backend = makeBackend();
    const [one, two] = [await makeOrders({ backend }), await makeOrders({ backend })];
    await Promise.all([one.listen(0, '127.0.0.1'), two.listen(0, '127.0.0.1')]);
    await Promise.all([one.get(SdRuntime).registration, two.get(SdRuntime).registration]);
    await one.close();
    expect(await backend.getInstances('orders')).toMatchObject([{ status: 'healthy' }]);
    expect(await makeConsumer(backend).get('/orders/7').json()).toEqual({ id: '7' });
  });
});
