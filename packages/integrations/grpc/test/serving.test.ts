import { credentials, Server, ServerCredentials, status } from '@grpc/grpc-js';
import { DiscoveryClient } from '@sd/discovery';
import { AdvancedHealthChecker, grpcCheck, SelfCheck } from '@sd/health';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { ServiceRegistry } from '@sd/registry';
import { eventually, silentLogger } from '@sd/testkit';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { addHealthService, registerGrpc, serveGrpc } from '../src/index.ts';
import { connectTo, inTurn } from './fixture.ts';
import { ordersService, OrdersClient } from './orders-client.ts';
import { startServer } from './orders.ts';

/** A registry, and a server of "orders" in it whose health is what the test says. */
async function startProvider() {
  const health = { isWell: true };
  const selfCheck = new SelfCheck({
    checks: { test: () => health.isWell },
    intervalMs: 20,
    failureThreshold: 1,
    logger: silentLogger,
  });
  const server = new Server();
  let served = 0;
  let finish = (): void => undefined;
  server.addService(ordersService, {
    get: ({ request }: { request: string }, reply: (error: null, answer: string) => void) => {
      served += 1;
      if (request === 'slow') finish = () => reply(null, 'finished');
      else reply(null, 'served');
    },
    list: () => undefined,
    send: () => undefined,
    chat: () => undefined,
    peer: () => undefined,
  });
  addHealthService(server, selfCheck);
  const listening = await serveGrpc(server, '127.0.0.1:0', ServerCredentials.createInsecure());
  const backend = new MemoryBackend({ store: new MemoryStore() });
  const registry = new ServiceRegistry({ backend, logger: silentLogger });
  onTestFinished(async () => {
    server.forceShutdown();
    selfCheck.close();
    await registry.close();
    await backend.close();
  });
  return {
    health,
    backend,
    registry,
    listening,
    served: () => served,
    finish: () => finish(),
    target: `127.0.0.1:${listening.port}`,
  };
}

describe('a server that is registered', () => {
  it('is found, and drains: calls under way finish, then it is gone', async () => {
    const { backend, registry, listening, finish, served } = await startProvider();
    const { instance } = await registry.register({
      service: 'orders',
      protocol: 'grpc',
      server: listening,
    });
    expect(instance).toMatchObject({ host: '127.0.0.1', port: listening.port, protocol: 'grpc' });
    const discovery = new DiscoveryClient({ backend, logger: silentLogger });
    const registration = registerGrpc({ discovery, name: 'draining' });
    onTestFinished(async () => {
      registration.close();
      await discovery.close();
    });
    const client = connectTo(registration);
    const slow = client.get('slow');
    await eventually(() => expect(served()).toBe(1));

    const drained = registry.drain({ propagationMs: 100 });
    await eventually(() =>
      expect(client.get()).rejects.toMatchObject({
        code: status.UNAVAILABLE,
        details: expect.stringContaining('1 draining') as string,
      }),
    );
    finish();

    expect(await slow).toBe('finished');
    await drained;
    await eventually(() => expect(discovery.peek('orders')?.instances).toEqual([]));
  });
});

describe('the health service', () => {
  it('is what grpcCheck() asks, so that instances that are not well get no calls', async () => {
    const { health, backend, registry, listening } = await startProvider();
    const { id } = (await registry.register({ service: 'orders', protocol: 'grpc', server: listening }))
      .instance;
    const { port } = await startServer(); // it has no health service
    await registry.register({ service: 'orders', protocol: 'grpc', host: '127.0.0.1', port });
    const healthChecker = new AdvancedHealthChecker({
      check: grpcCheck(),
      intervalMs: 20,
      failureThreshold: 1,
      successThreshold: 1,
      logger: silentLogger,
    });
    const discovery = new DiscoveryClient({ backend, healthChecker, logger: silentLogger });
    const registration = registerGrpc({ discovery, name: 'checked' });
    onTestFinished(async () => {
      registration.close();
      await discovery.close();
      healthChecker.close();
    });
    const client = connectTo(registration);
    await client.get();
    const active = (): unknown =>
      discovery.endpoints('orders')?.find(({ instance }) => instance.id === id)?.reasons.active;
    await eventually(() => expect(active()).toBe('healthy'));

    expect(new Set(await inTurn(10, () => client.get()))).toEqual(new Set(['served']));

    health.isWell = false;
    await eventually(() => expect(active()).toBe('unhealthy'));

    health.isWell = true;
    await eventually(() => expect(active()).toBe('healthy'));
  });

  it('keeps no server from draining that somebody watches', async () => {
    const { registry, listening, target } = await startProvider();
    await registry.register({ service: 'orders', protocol: 'grpc', server: listening });
    const client = new OrdersClient(target, credentials.createInsecure(), { 'grpc.enable_http_proxy': 0 });
    onTestFinished(() => client.close());
    const asIs = (bytes: Buffer): Buffer => bytes;
    const watch = client.makeServerStreamRequest('/grpc.health.v1.Health/Watch', asIs, asIs, Buffer.alloc(0));
    const seen: (number | undefined)[] = [];
    watch.on('data', (message: Buffer) => void seen.push(message[1]));
    await eventually(() => expect(seen).toEqual([1]));

    const ended = once(watch, 'end');
    await registry.drain({ propagationMs: 10, timeoutMs: 4_000 });

    await ended;
    expect(seen).toEqual([1, 2]);
  });

  it('tells those who watch each change', async () => {
    const { health, target } = await startProvider();
    const client = new OrdersClient(target, credentials.createInsecure(), { 'grpc.enable_http_proxy': 0 });
    onTestFinished(() => client.close());
    const asIs = (bytes: Buffer): Buffer => bytes;
    const watch = client.makeServerStreamRequest(
      '/grpc.health.v1.Health/Watch',
      asIs,
      asIs,
      Buffer.from([0x0a, 1, 0x78]),
    );
    watch.on('error', () => undefined);
    const seen: (number | undefined)[] = [];
    watch.on('data', (message: Buffer) => void seen.push(message[1]));
    await eventually(() => expect(seen.at(-1)).toBe(1));

    health.isWell = false;
    await eventually(() => expect(seen.at(-1)).toBe(2));

    watch.cancel();
    await once(watch, 'close').catch(() => undefined);
  });
});
