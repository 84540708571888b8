import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { eventually } from '@sd/testkit';
import { requireServer, type EtcdServer } from '../../../../tools/servers/index.ts';
import {
  ids,
  instance,
  openBackend,
  openProxy,
  openServer,
  openView,
  openWatch,
  urlOf,
} from './open-backend.ts';

const ttl = 60_000;

describe.skipIf(!requireServer('etcd'))('connections', { timeout: 20_000 }, () => {
  it('are one, with one stream for all watches and one lease for all instances of a ttl', async () => {
    const server = await openServer();
    const proxy = await openProxy(server);
    const backend = openBackend({ endpoints: urlOf(proxy), timeoutMs: 5_000 });
    const services = Array.from({ length: 200 }, (_, n) => `orders-${n}`);
    await Promise.all(services.map((service) => backend.register(instance(1, service), { ttl })));
    await Promise.all(services.map((service) => backend.register(instance(2, service), { ttl })));
    await Promise.all(services.map((service) => openWatch(backend, service)));

    expect(proxy.accepted).toBe(1);
    expect(await started(server, 'Watch')).toBe(1);
    expect(await started(server, 'LeaseGrant')).toBe(1);
    await backend.register(instance(3), { ttl: 30_000 });
    expect(await started(server, 'LeaseGrant')).toBe(2);
  });

  it('are closed with the backend, and leave what is registered to run out', async () => {
    const server = await openServer();
    const backend = openBackend({ endpoints: server.url });
    await openWatch(backend);
    await backend.register(instance(1), { ttl: 1_000 });
    const watch = await openWatch(openBackend({ endpoints: server.url }));

    await backend.close();
    const keepAlives = await received(server, 'LeaseKeepAlive');
    await watch.next(({ length }) => length === 0, { timeoutMs: 3_000, from: 1 });

    expect(await received(server, 'LeaseKeepAlive')).toBe(keepAlives);
  });

  it('that fall silent are left for another endpoint within the limit of one request', async () => {
    const server = await openServer();
    const [silent, other] = [await openProxy(server), await openProxy(server)];
    const endpoints = [silent, other].map(urlOf);
    const backend = openBackend({ endpoints, timeoutMs: 3_000, rng: () => 0 });
    await backend.listServices();

    await silent.set({ blackHole: 'both' });

    expect(await backend.listServices()).toEqual([]);
    expect(other.accepted).toBe(1);
  });

  it('speak TLS, and verify the certificate', async () => {
    const server = await openServer({ tls: true });
    const backend = openBackend({ endpoints: server.url, tls: { ca: Buffer.from(server.tls?.ca ?? '') } });
    const watch = await openWatch(backend);
    const lease = await backend.register(instance(1), { ttl });
    await watch.next(({ length }) => length === 1, { timeoutMs: 5_000 });
    await lease.release();
    await watch.next(({ length }) => length === 0, { timeoutMs: 5_000, from: 2 });
  });

  it('expect the name in the certificate that they are told to', async () => {
    const server = await openServer({ tls: true });
    const as = (servername: string) =>
      openBackend({ endpoints: server.url, tls: { ca: server.tls?.ca, servername } });
    expect(await as('localhost').getInstances('orders')).toEqual([]);
    await expect(as('etcd.internal').getInstances('orders')).rejects.toThrow(/its certificate was refused/);
  });

  it('speak TLS with users', async () => {
    const server = await openServer({
      tls: true,
      users: [{ name: 'sd', password: 'secret', prefix: '/sd/' }],
    });
    const login = { username: 'sd', password: 'secret' };
    const backend = openBackend({ endpoints: server.url, tls: { ca: server.tls?.ca }, ...login });
    const watch = await openWatch(backend);
    await backend.register(instance(1), { ttl });
    await watch.next(({ length }) => length === 1, { timeoutMs: 5_000 });
  });

  it('show a certificate where etcd wants one, and say so where they have none', async () => {
    const server = await openServer({ tls: true, clientCertificates: true });
    const { ca = '', certificate = '', key = '' } = server.tls?.files ?? {};
    const [cert, keyPem] = [certificate, key].map((file) => readFileSync(file));
    const tls = { ca: readFileSync(ca), cert, key: keyPem };
    const backend = openBackend({ endpoints: server.url, tls });
    await backend.register(instance(1), { ttl });
    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);

    const nameless = openBackend({ endpoints: server.url, tls: { ca: tls.ca } });
    await expect(nameless.getInstances('orders')).rejects.toThrow(/tls\.cert and tls\.key/);
  });

  it('go to the next endpoint when the first is down, and when it falls silent', async () => {
    const server = await openServer();
    const [dead, silent, good] = [await openProxy(server), await openProxy(server), await openProxy(server)];
    await dead.set({ refuse: true });
    const endpoints = [dead, silent, good].map(urlOf);
    const backend = openBackend({ endpoints, rng: () => 0 });
    const view = await openView(backend);
    const lease = await backend.register(instance(1), { ttl: 2_000 });
    await view.shows(({ length }) => length === 1, 5_000);
    expect([silent.accepted, good.accepted]).toEqual([1, 0]);

    await silent.set({ blackHole: 'both' });
    await eventually(() => expect(good.accepted).toBe(1), { timeoutMs: 5_000 });
    await lease.update({ ...instance(1), weight: 9 });

    await view.shows(([seen]) => seen?.weight === 9, 5_000);
    expect(lease.lost.aborted).toBe(false);
  });

  it('leave an endpoint that accepts and says nothing for the next, within the time limit', async () => {
    const server = await openServer();
    const [silent, good] = [await openProxy(server), await openProxy(server)];
    await silent.set({ blackHole: 'both' });
    const endpoints = [urlOf(silent), urlOf(good)];
    const backend = openBackend({ endpoints, rng: () => 0, timeoutMs: 3_000 });
    expect(await backend.getInstances('orders')).toEqual([]);
  });

  async function started(server: EtcdServer, method: string): Promise<number> {
    return server.metric('grpc_server_started_total', `grpc_method="${method}"`);
  }

  async function received(server: EtcdServer, method: string): Promise<number> {
    return server.metric('grpc_server_msg_received_total', `grpc_method="${method}"`);
  }
});
