import { Cluster, Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis-5';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BackendUnavailableError } from '@sd/core';
import { RedisSentinel, requireServer, type RedisServer } from '../../../../tools/servers/index.ts';
import { ids, instance, openBackend, openServer, openWatch } from './open-backend.ts';
import { consumerRules, providerRules } from './rights.ts';

const ttl = 60_000;

describe.skipIf(!requireServer('redis'))('connections', () => {
  it('are two, whatever is registered and watched', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    const services = Array.from({ length: 50 }, (_, n) => `orders-${n}`);
    await Promise.all(services.map((service) => backend.register(instance(1, service), { ttl })));
    await Promise.all(services.map((service) => openWatch(backend, service)));
    expect(await clients(server)).toHaveLength(2);
  });

  it('send a script once to a server that does not know it, however many ask at once', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    await Promise.all(Array.from({ length: 1_000 }, (_, n) => backend.getInstances(`orders-${n}`)));
    const stats = await server.info('commandstats');
    expect(stats.get('cmdstat_eval')).toMatch(/^calls=1,/);
    expect(stats.get('cmdstat_evalsha')).toMatch(/^calls=1000,/);
  });

  it('are closed with the backend', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    await openWatch(backend);
    await backend.close();
    expect(await clients(server)).toEqual([]);
  });

  it.each([
    ['ioredis 5', (url: string) => new Redis5(url, { lazyConnect: true }) as unknown as Redis],
    ['ioredis 6', (url: string) => new Redis(url, { lazyConnect: true })],
  ])('take their settings from a client of %s, which stays as it is', async (_, make) => {
    const server = await openServer({ password: 'secret' });
    const client = make(server.url);
    onTestFinished(() => client.disconnect());
    const backend = openBackend({ client });
    const watch = await openWatch(backend);
    const lease = await backend.register(instance(1), { ttl });
    await watch.next(({ length }) => length === 1, { timeoutMs: 5_000 });
    await lease.release();
    await watch.next(({ length }) => length === 0, { timeoutMs: 5_000, from: 2 });
    await backend.close();

    expect(await client.ping()).toBe('PONG');
  });

  it('speak TLS, and verify the certificate', async () => {
    const server = await openServer({ tls: true });
    const { url, tls } = server;
    const trusting = openBackend({ url, redis: { tls: { ca: tls?.ca } } });
    const watch = await openWatch(trusting);
    await trusting.register(instance(1), { ttl });
    await watch.next(({ length }) => length === 1, { timeoutMs: 5_000 });

    const strict = openBackend({ url });
    await expect(strict.getInstances('orders')).rejects.toThrow(BackendUnavailableError);
    await expect(strict.getInstances('orders')).rejects.toThrow(/certificate/);
  });

  it('refuse a certificate that has expired', async () => {
    const { url, tls } = await openServer({ tls: 'expired' });
    const backend = openBackend({ url, redis: { tls: { ca: tls?.ca } } });
    await expect(backend.getInstances('orders')).rejects.toThrow(/certificate has expired/);
  });

  it('need no more rights than the README lists', async () => {
    const server = await openServer();
    await server.command('ACL', 'SETUSER', 'provider', 'on', '>secret', ...providerRules);
    await server.command('ACL', 'SETUSER', 'consumer', 'on', '>secret', ...consumerRules);
    const at = ({ host, port }: RedisServer, user: string) => ({
      url: `redis://${user}:secret@${host}:${port}`,
    });
    const provider = openBackend(at(server, 'provider'));
    const consumer = openBackend(at(server, 'consumer'));
    const watch = await openWatch(consumer);

    const lease = await provider.register(instance(1), { ttl: 600 });
    await watch.next(({ length }) => length === 1, { timeoutMs: 5_000 });
    await new Promise((resolve) => setTimeout(resolve, 900)); // over a renewal
    expect(lease.lost.aborted).toBe(false);
    expect(await consumer.listServices()).toEqual(['orders']);
    expect(ids(await consumer.getInstances('orders'))).toEqual(['orders-1']);
    await lease.update({ ...instance(1), weight: 9 });
    await lease.release();
    await watch.next(({ length }) => length === 0, { timeoutMs: 5_000, from: 2 });
    await expect(consumer.register(instance(2), { ttl })).rejects.toThrow(/lacks a right/);
  });

  it('see the services of their prefix and their database alone', async () => {
    const { url } = await openServer();
    const [plain, other, database] = [
      openBackend({ url }),
      openBackend({ url, prefix: 'sd2:' }),
      openBackend({ url: `${url}/3` }),
    ];
    const watches = await Promise.all([plain, other, database].map((backend) => openWatch(backend)));
    await other.register(instance(2), { ttl });
    await database.register(instance(3), { ttl });
    await plain.register(instance(1), { ttl });

    for (const [index, watch] of watches.entries())
      await watch
        .next(({ length }) => length === 1, { timeoutMs: 5_000 })
        .then(({ instances }) => expect(ids(instances)).toEqual([`orders-${index + 1}`]));
    expect(watches.map(({ snapshots }) => snapshots.length)).toEqual([2, 2, 2]);
  });

  it('find the master though one of the sentinels does not answer', async () => {
    const group = await RedisSentinel.start({ persistent: false });
    onTestFinished(() => group.stop());
    const { name, sentinels } = group;
    sentinels[0]?.freeze();
    const backend = openBackend({
      redis: { name, sentinels: sentinels.map(({ host, port }) => ({ host, port })) },
    });
    await backend.register(instance(1), { ttl });
    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
    await backend.close();
  });

  it('reach a Cluster through one node that is alive', async () => {
    const { host, port } = await openServer();
    const client = new Cluster([{ host, port }], { lazyConnect: true });
    const backend = openBackend({ client });
    await expect(backend.getInstances('orders')).rejects.toThrow(/cluster support disabled/);
  });
});

async function clients(server: RedisServer): Promise<readonly string[]> {
  const list = String(await server.command('CLIENT', 'LIST'));
  return list.split('\n').filter((line) => line !== '' && !line.includes('cmd=client|list'));
}
