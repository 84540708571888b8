import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { BackendUnavailableError, seededRng } from '@sd/core';
import { eventually, ViewRecorder, realTime } from '@sd/testkit';
import { ConsulDnsServer, DnsmasqServer, requireServer } from '../../../../tools/servers/index.ts';
import { hosts, openBackend, openWatch } from './open-backend.ts';

const record = (n: number, priority = 1, weight = 5) => [
  `--srv-host=_orders._tcp.test,web-${n}.test,8080,${priority},${weight}`,
  `--host-record=web-${n}.test,10.0.0.${n},2001:db8::${n}`,
];

describe.skipIf(!requireServer('dnsmasq'))('dnsmasq', () => {
  let server: DnsmasqServer;
  const serve = (...numbers: readonly number[]) => numbers.flatMap((n) => record(n));
  beforeAll(async () => {
    server = await DnsmasqServer.start([...serve(1, 2), '--cname=alias.test,web-1.test', '--local-ttl=7']);
  });
  afterAll(() => server.stop());

  it('SRV records are instances with the priority and weight that they have', async () => {
    const instances = await openBackend(server).getInstances('orders');
    expect(instances).toHaveLength(2);
    expect(instances).toContainEqual(
      expect.objectContaining({
        host: '10.0.0.1',
        port: 8080,
        priority: 1,
        weight: 5,
        metadata: { target: 'web-1.test' },
      }),
    );
  });

  it('the family may be chosen', async () => {
    expect(hosts(await openBackend(server, { family: 6 }).getInstances('orders'))).toEqual([
      '2001:db8::1',
      '2001:db8::2',
    ]);
    expect(hosts(await openBackend(server, { family: 'both' }).getInstances('orders'))).toHaveLength(4);
  });

  it('addresses with a port are instances, also of an alias', async () => {
    const backend = openBackend(server, { name: '{service}.test.', type: 'A', port: 80, family: 'both' });
    expect(hosts(await backend.getInstances('alias'))).toEqual(['10.0.0.1', '2001:db8::1']);
  });

  it('a name that does not exist, and one without such records, is empty', async () => {
    const backend = openBackend(server, { name: '{service}.test.' });
    expect(await backend.getInstances('nothing')).toEqual([]);
    expect(await backend.getInstances('web-1')).toEqual([]);
  });

  it('what it refuses is a failure', async () => {
    const backend = openBackend(server, { name: '{service}.example.com.' });
    const failure = backend.getInstances('orders');
    await expect(failure).rejects.toThrow(BackendUnavailableError);
    await expect(failure).rejects.toThrow(/REFUSED/);
  });

  it('answers that are too long for UDP come over TCP', async () => {
    await server.serve(serve(...Array.from({ length: 100 }, (_, n) => n + 1)));
    expect(await openBackend(server).getInstances('orders')).toHaveLength(100);
  });

  it('additional records that dnsmasq breaks beyond 16 KB are made up for by questions', async () => {
    const many = Array.from({ length: 500 }, (_, n) => n + 1);
    await server.serve([
      ...many.map((n) => `--srv-host=_orders._tcp.test,web-with-a-long-name-${n}.test,8080`),
      ...many.map((n) => `--host-record=web-with-a-long-name-${n}.test,10.1.${n >> 8}.${n & 255}`),
    ]);
    expect(await openBackend(server).getInstances('orders')).toHaveLength(500);
  });

  it('a view holds what it has while it is down, and sees what changed when it is back', async () => {
    await server.serve(serve(1, 2));
    const view = new ViewRecorder(openBackend(server), 'orders', {
      time: realTime(),
      rng: seededRng(1),
      ttl: 1_000,
    });
    try {
      await view.shows(({ length }) => length === 2, 5_000);
      await server.kill();
      await eventually(() => expect(view.view.state).toBe('stale'));
      expect(view.ids).toHaveLength(2);
      await server.start();
      await eventually(() => expect(view.view.state).toBe('live'), { timeoutMs: 10_000 });
      await server.serve(serve(2, 3));
      await view.shows((instances) => hosts(instances).join() === '10.0.0.2,10.0.0.3', 10_000);
    } finally {
      view.close();
    }
  });
});

describe.skipIf(!requireServer('consul'))("Consul's DNS interface", () => {
  let server: ConsulDnsServer;
  const name = '{service}.service.consul.';
  const all = Array.from({ length: 50 }, (_, n) => `10.0.1.${n + 1}`).sort();
  beforeAll(async () => {
    server = await ConsulDnsServer.start();
    for (const host of all) await server.register('orders', `orders-${host}`, host, 8080);
  });
  afterAll(() => server.stop());

  it('gives all instances over TCP, and tells of those that leave', async () => {
    await server.register('few', 'few-1', '10.0.0.1', 8080);
    await server.register('few', 'few-2', '10.0.0.2', 8081);
    const backend = openBackend(server, { name, transport: 'tcp' });
    expect(hosts(await backend.getInstances('orders'))).toEqual(all);
    const watch = await openWatch(backend, 'few');
    expect(hosts(watch.latest)).toEqual(['10.0.0.1', '10.0.0.2']);
    await server.deregister('few-1');
    await watch.next((instances) => hosts(instances).join() === '10.0.0.2', { timeoutMs: 5_000 });
    await server.deregister('few-2');
    await watch.next(({ length }) => length === 0, { timeoutMs: 5_000 });
  });

  it('gives a part of them over UDP: with misses to spare a watch has all of them in the end', async () => {
    const partial = await openBackend(server, { name }).getInstances('orders');
    expect(partial.length).toBeLessThan(50);

    const watch = await openWatch(openBackend(server, { name, misses: 100 }));
    await watch.next((instances) => hosts(instances).join() === all.join(), { timeoutMs: 10_000 });
    const known = watch.snapshots.length;
    await server.deregister(`orders-${all[0] ?? ''}`);
    await watch.next((instances) => hosts(instances).join() === all.slice(1).join(), {
      timeoutMs: 20_000,
      from: known,
    });
  }, 30_000);
});
