import { createServer } from 'node:http';
import { once } from 'node:events';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BackendUnavailableError, systemClock, type Lease } from '@sd/core';
import { eventually, FaultProxy, haltableClock } from '@sd/testkit';
import { requireServer } from '../../../../tools/servers/index.ts';
import { instance, openBackend, openServer, openWatch } from './open-backend.ts';

describe.skipIf(!requireServer('consul'))('ConsulBackend', () => {
  it('watches many more services than it has blocking queries, and renews its leases all the same', async () => {
    const server = await openServer();
    const provider = openBackend({ url: server.url });
    const consumer = openBackend({ url: server.url, maxBlockingQueries: 20, pollMs: 400 });
    const lease = await consumer.register(instance(1, { service: 'own' }), { ttl: 1_500 });
    const names = Array.from({ length: 150 }, (_, n) => `service-${n}`);
    const present = names.filter((_, n) => n % 3 === 0);
    const held = await Promise.all(
      present.map((service) => provider.register(instance(1, { service }), { ttl: 5_000 })),
    );
    const watches = await Promise.all(names.map((service) => openWatch(consumer, service)));
    expect(watches.map(({ latest }) => latest?.length)).toEqual(names.map((_, n) => (n % 3 === 0 ? 1 : 0)));

    // What appears or vanishes is seen at once, what changes by pollMs.
    await Promise.all(
      names
        .filter((_, n) => n % 3 === 1)
        .map((service) => provider.register(instance(1, { service }), { ttl: 5_000 })),
    );
    await Promise.all(held.map((each) => each.update({ ...each.instance, weight: 9 })));
    await eventually(() => {
      expect(watches.map(({ latest }) => latest?.[0]?.weight)).toEqual(
        names.map((_, n) => [9, 1, undefined][n % 3]),
      );
    });
    await Promise.all(held.map((each) => each.release()));
    await eventually(() => {
      expect(watches.map(({ latest }) => latest?.length)).toEqual(names.map((_, n) => (n % 3 === 1 ? 1 : 0)));
    });
    expect(watches.filter(({ end }) => end !== undefined)).toEqual([]);
    expect(lease.lost.aborted).toBe(false);
    expect(await consumer.getInstances('own')).toHaveLength(1);
  }, 30_000);

  it('gives a blocking query that is free to one of those that share', async () => {
    const server = await openServer();
    const consumer = openBackend({ url: server.url, maxBlockingQueries: 1, pollMs: 60_000, waitMs: 60_000 });
    const provider = openBackend({ url: server.url });
    const lease = await provider.register(instance(1), { ttl: 5_000 });
    const first = await openWatch(consumer, 'first');
    const second = await openWatch(consumer, 'orders');
    await first.close();
    await lease.update(instance(1, { weight: 5 }));
    await second.next(([found]) => found?.weight === 5, { timeoutMs: 3_000 });
  });

  it('ends watches when the index went back, as after a snapshot was restored', async () => {
    const server = await openServer();
    // What an agent holds it would write again, and so make the index go on.
    const write = (port: number): Promise<unknown> =>
      server.command('PUT', 'catalog/register', {
        Node: 'elsewhere',
        Address: '10.0.0.9',
        SkipNodeUpdate: true,
        Service: { ID: 'orders-9', Service: 'orders', Port: port },
      });
    await write(1);
    const snapshot = await fetch(`${server.url}/v1/snapshot`);
    const saved = await snapshot.arrayBuffer();
    for (const port of [2, 3, 4]) await write(port);
    const watch = await openWatch(openBackend({ url: server.url, waitMs: 1_000 }));
    expect(watch.latest).toMatchObject([{ port: 4 }]);

    await fetch(`${server.url}/v1/snapshot`, { method: 'PUT', body: saved });

    await eventually(() => expect(watch.end?.error).toBeInstanceOf(BackendUnavailableError));
    expect(watch.latest).toMatchObject([{ port: 4 }]);
  });

  it('renews all but the first few of its instances by one check, of a service that stands for the process', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    const instances = Array.from({ length: 50 }, (_, n) => instance(n + 1));
    await Promise.all(instances.map((each) => backend.register(each, { ttl: 1_500 })));
    expect((await server.listed('services')).size).toBe(51);
    expect(Object.keys(Object(await server.command('GET', 'catalog/services')) as object).sort()).toEqual([
      '_sd-leases',
      'consul',
      'orders',
    ]);
    expect(await backend.listServices()).toEqual(['orders']);
    const kinds = [...(await server.listed('checks')).keys()].map((id) => id.replace(/(sd:\w+:)?.*/, '$1'));
    expect(kinds.filter((kind) => kind === 'sd:ttl:')).toHaveLength(8);
    expect(kinds.filter((kind) => kind === 'sd:alias:')).toHaveLength(42);
  });

  it('loses all its instances with that check, and keeps those that have their own', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    const instances = Array.from({ length: 10 }, (_, n) => instance(n + 1));
    const leases: Lease[] = [];
    for (const each of instances) leases.push(await backend.register(each, { ttl: 900 }));
    const services = [...(await server.listed('services')).keys()];
    await server.command('PUT', `agent/service/deregister/${services.find((id) => id.startsWith('sd:'))}`);
    await eventually(() =>
      expect(leases.map(({ lost }) => lost.aborted)).toEqual(leases.map((_, n) => n > 7)),
    );
    expect(leases[9]?.lost.reason).toMatchObject({ reason: 'store-lost' });

    for (const each of instances.slice(8)) await backend.register(each, { ttl: 900 });
    expect(await backend.getInstances('orders')).toHaveLength(10);
  });

  it('leaves nothing behind when the last instance is released', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    const leases = await Promise.all(
      Array.from({ length: 12 }, (_, n) => n + 1).map((n) => backend.register(instance(n), { ttl: 5_000 })),
    );
    await Promise.all(leases.map((lease) => lease.release()));
    expect(await server.command('GET', 'agent/services')).toEqual({});
  });

  it.each([
    ['is being released', (lease: Lease) => lease.release()],
    ['is being updated', (lease: Lease) => lease.update({ ...lease.instance, weight: 7 })],
  ])('registers anew what %s: the newer one stays as it is', async (_, change) => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    for (let time = 0; time < 5; time += 1) {
      const former = await backend.register(instance(1), { ttl: 5_000 });
      const changed = change(former).catch(() => undefined);
      const lease = await backend.register(instance(1, { weight: 2 }), { ttl: 5_000 });
      await changed;
      expect(await backend.getInstances('orders')).toMatchObject([{ weight: 2 }]);
      expect(lease.lost.aborted).toBe(false);
    }
  });

  it('registers anew what was just given up: the newer one stays', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    for (let time = 0; time < 5; time += 1) {
      const givenUp = backend.register(instance(1), { ttl: 5_000, signal: AbortSignal.timeout(1) });
      givenUp.catch(() => undefined);
      await once(AbortSignal.timeout(2), 'abort');
      const lease = await backend.register(instance(1), { ttl: 5_000 });
      await Promise.allSettled([givenUp]);
      await lease.update(instance(1, { weight: 2 })); // after whatever the other has still sent
      expect(await backend.getInstances('orders')).toMatchObject([{ weight: 2 }]);
    }
  });

  it('withdraws what it finds under its name but does not hold', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    const instances = Array.from({ length: 9 }, (_, n) => instance(n + 1));
    for (const each of instances) await backend.register(each, { ttl: 600 });
    const checks = [...(await server.listed('checks')).values()];
    const notes: readonly unknown[] = checks.map((check): unknown => Reflect.get(Object(check), 'Notes'));
    // As a registration that was given up, and went through later.
    await server.command('PUT', 'agent/service/register', {
      Name: 'orders',
      ID: 'orders:late',
      Check: {
        CheckID: 'sd:alias:orders:late',
        Name: 'late',
        Notes: notes.find((each) => String(each).startsWith('sd lease')),
        TTL: '60s',
        Status: 'passing',
      },
    });
    await eventually(async () =>
      expect([...(await server.listed('services')).keys()]).not.toContain('orders:late'),
    );
    expect(await backend.getInstances('orders')).toHaveLength(9);
  });

  it('keeps the state of the check when an instance is updated', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    const lease = await backend.register(instance(1), { ttl: 5_000 });
    const watch = await openWatch(openBackend({ url: server.url }));
    for (let weight = 1; weight <= 20; weight += 1) await lease.update(instance(1, { weight }));
    await watch.next(([found]) => found?.weight === 20, { timeoutMs: 5_000 });
    expect(watch.snapshots.every(({ instances }) => instances.length === 1)).toBe(true);
  });

  it('takes a process whose node died for unhealthy, as nobody times its lease any more', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    await backend.register(instance(1), { ttl: 5_000 });
    const clock = haltableClock(systemClock);
    const watch = await openWatch(openBackend({ url: server.url, clock }));
    await server.command('PUT', 'catalog/register', {
      Node: server.node,
      Address: '127.0.0.1',
      SkipNodeUpdate: true,
      Check: { Node: server.node, CheckID: 'serfHealth', Name: 'Serf', Status: 'critical' },
    });
    await watch.next(([found]) => found?.status === 'unhealthy', { timeoutMs: 3_000 });
  });

  describe('with checks that the agent makes', () => {
    async function openTarget() {
      const state = { status: 200 };
      const server = createServer((_, response) => response.writeHead(state.status).end());
      await once(server.listen(0, '127.0.0.1'), 'listening');
      onTestFinished(() => {
        server.close();
        server.closeAllConnections();
      });
      const address = server.address();
      return Object.assign(state, { port: typeof address === 'object' && address ? address.port : 0 });
    }
    const at = (port: number) => instance(1, { host: '127.0.0.1', port });

    it('needs no renewal, and shows what the agent found', async () => {
      const server = await openServer();
      const target = await openTarget();
      const check = { kind: 'http', path: '/health', intervalMs: 100 } as const;
      const backend = openBackend({ url: server.url, check });
      const lease = await backend.register(at(target.port), { ttl: 600 });
      const watch = await openWatch(backend);
      expect(watch.latest).toEqual([at(target.port)]);
      expect(await backend.listServices()).toEqual(['orders']);

      for (const [code, status] of [
        [500, 'unhealthy'],
        [429, 'degraded'],
        [200, 'healthy'],
      ] as const) {
        target.status = code;
        await watch.next((found) => found[0]?.status === status, {
          timeoutMs: 5_000,
          from: watch.snapshots.length,
        });
      }
      await server.command('PUT', 'agent/service/deregister/orders:orders-1');
      await eventually(() => expect(lease.lost.reason).toMatchObject({ reason: 'deleted' }));
    });

    it('withdraws what was released while Consul was away, though its check still passes', async () => {
      const server = await openServer();
      const proxy = await FaultProxy.listen({ host: '127.0.0.1', port: server.port });
      onTestFinished(() => proxy.close());
      const target = await openTarget();
      const check = { kind: 'http', path: '/health', intervalMs: 100 } as const;
      const backend = openBackend({ url: `http://127.0.0.1:${proxy.port}`, check });
      const lease = await backend.register(at(target.port), { ttl: 600 });
      await proxy.set({ refuse: true });
      proxy.reset();
      await expect(lease.release()).rejects.toThrow(BackendUnavailableError);
      await proxy.heal();
      await eventually(async () => expect(await server.command('GET', 'agent/services')).toEqual({}));
    });

    it('withdraws what was registered though Consul did not say so, and nobody holds', async () => {
      const server = await openServer();
      const proxy = await FaultProxy.listen({ host: '127.0.0.1', port: server.port });
      onTestFinished(() => proxy.close());
      const target = await openTarget();
      const check = { kind: 'http', path: '/health', intervalMs: 100 } as const;
      const backend = openBackend({ url: `http://127.0.0.1:${proxy.port}`, check, timeoutMs: 1_000 });
      await proxy.set({ latencyMs: 300 });
      const refused = expect(backend.register(at(target.port), { ttl: 600 })).rejects.toThrow(
        BackendUnavailableError,
      );
      await eventually(async () => expect([...(await server.listed('services')).keys()]).toHaveLength(1), {
        timeoutMs: 5_000,
      });
      await proxy.set({ blackHole: 'to-client' }); // the answer is on its way
      await refused;
      await proxy.heal();
      await eventually(async () => expect(await server.command('GET', 'agent/services')).toEqual({}), {
        timeoutMs: 5_000,
      });
    });

    it.each(['tcp', 'grpc'] as const)('asks by %s', async (kind) => {
      const server = await openServer();
      const target = await openTarget();
      const check = { kind, intervalMs: 100, timeoutMs: 500 };
      const backend = openBackend({ url: server.url, check });
      await backend.register(at(target.port), { ttl: 5_000 });
      const watch = await openWatch(backend);
      const found = async (): Promise<string> => JSON.stringify(await server.command('GET', 'agent/checks'));
      // A target that speaks HTTP 1 accepts connections, and does not know gRPC.
      if (kind === 'tcp')
        await eventually(async () => expect(await found()).toMatch(/TCP connect .* Success/));
      else await watch.next((seen) => seen[0]?.status === 'unhealthy', { timeoutMs: 5_000 });
      expect(await found()).toContain(`"CheckID":"sd:${kind}:orders:orders-1:`);
    });

    it('replaces one kind of check by another', async () => {
      const server = await openServer();
      const target = await openTarget();
      const ttl = openBackend({ url: server.url });
      const tcp = openBackend({ url: server.url, check: { kind: 'tcp', intervalMs: 100 } });
      const lease = await ttl.register(at(target.port), { ttl: 900 });
      await tcp.register(at(target.port), { ttl: 900 });
      await eventually(() => expect(lease.lost.reason).toMatchObject({ reason: 'replaced' }));
      expect(await tcp.getInstances('orders')).toEqual([at(target.port)]);
      const checks = [...(await server.listed('checks')).keys()];
      expect(checks.filter((id) => id.includes(':orders:'))).toEqual([
        expect.stringMatching(/^sd:tcp:orders:orders-1:/),
      ]);
    });
  });
});
