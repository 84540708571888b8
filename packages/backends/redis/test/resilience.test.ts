import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { LeaseLostError } from '@sd/core';
import { BackendUnavailableError } from '@sd/core';
import { eventually } from '@sd/testkit';
import type { RedisServer } from '../../../../tools/servers/index.ts';
import { requireServer } from '../../../../tools/servers/index.ts';
import { ids, instance, openBackend, openServer, openWatch } from './open-backend.ts';

const ttl = 900;

describe.skipIf(!requireServer('redis'))('what Redis may do', () => {
  it('forgets all scripts: nobody notices', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    const lease = await backend.register(instance(1), { ttl });
    await server.command('SCRIPT', 'FLUSH');

    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
    await server.command('SCRIPT', 'FLUSH');
    await lease.update({ ...instance(1), weight: 9 });
    await lease.release();
    expect(await backend.getInstances('orders')).toEqual([]);
  });

  it.each(['instances', 'expiries', 'owners'])(
    'evicts the key of the %s: leases are lost as store-lost',
    async (part) => {
      const server = await openServer();
      const backend = openBackend({ url: server.url });
      const leases = await Promise.all([1, 2, 3].map((n) => backend.register(instance(n), { ttl })));

      await server.command('DEL', `sd:{orders}:${part}`);

      await eventually(() => expect(leases.every(({ lost }) => lost.aborted)).toBe(true), { timeoutMs: ttl });
      const reasons = leases.map(({ lost }) => (lost.reason as LeaseLostError).reason);
      expect(reasons).toEqual(['store-lost', 'store-lost', 'store-lost']);
    },
  );

  it.each(['instances', 'expiries', 'owners'])(
    'evicts the key of the %s: a lookup fails rather than to find nobody',
    async (part) => {
      const server = await openServer();
      const backend = openBackend({ url: server.url });
      await backend.register(instance(1), { ttl: 60_000 });
      await server.command('DEL', `sd:{orders}:${part}`);
      await expect(backend.getInstances('orders')).rejects.toThrow(/has lost some of the keys/);
    },
  );

  it.each(['instances', 'expiries', 'owners'])(
    'evicts the key of the %s: the next registration starts anew, and the others come to know of it',
    async (part) => {
      const server = await openServer();
      const backend = openBackend({ url: server.url });
      const old = await backend.register(instance(1), { ttl });
      await server.command('DEL', `sd:{orders}:${part}`);
      await backend.register(instance(2), { ttl });
      expect(ids(await backend.getInstances('orders'))).toEqual(['orders-2']);
      await eventually(() => expect(old.lost.aborted).toBe(true), { timeoutMs: ttl });
    },
  );

  it('evicts the list of services: renewals restore it', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    await backend.register(instance(1), { ttl });
    await server.command('DEL', 'sd:services');
    await eventually(async () => expect(await backend.listServices()).toEqual(['orders']), {
      timeoutMs: ttl,
    });
  });

  it('loses all data without a restart (FLUSHALL): watches end, so that views hold what they have', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    await backend.register(instance(1), { ttl });
    const watch = await openWatch(backend);

    await server.command('FLUSHALL');

    await eventually(() => expect(watch.end?.error).toBeInstanceOf(BackendUnavailableError));
    expect(watch.snapshots.every(({ instances }) => instances.length === 1)).toBe(true);
  });

  it('reaches maxmemory: registrations are refused, and those that live go on living', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    const lease = await backend.register(instance(1), { ttl });
    await server.command('CONFIG', 'SET', 'maxmemory', '1mb');

    await expect(backend.register(instance(2), { ttl })).rejects.toThrow(/maxmemory/);
    const watch = await openWatch(backend);
    await eventually(async () => expect(await overdue(server)).toBeGreaterThan(2 * ttl), {
      timeoutMs: 4 * ttl,
    });

    expect(lease.lost.aborted).toBe(false);
    expect(ids(watch.latest ?? [])).toEqual(['orders-1']);
    expect(await backend.listServices()).toEqual(['orders']);
  });

  it('refuses to write: nobody is taken for dead who could not be renewed', async () => {
    const server = await openServer();
    const [provider, consumer] = [openBackend({ url: server.url }), openBackend({ url: server.url })];
    const lease = await provider.register(instance(1), { ttl });
    const watch = await openWatch(consumer);

    await server.command('CONFIG', 'SET', 'min-replicas-to-write', '1');

    await eventually(() => expect(String(watch.end?.error)).toMatch(/NOREPLICAS/), { timeoutMs: 3 * ttl });
    expect(watch.snapshots.every(({ instances }) => instances.length === 1)).toBe(true);
    await expect(consumer.getInstances('orders')).rejects.toThrow(/NOREPLICAS/);
    await server.command('CONFIG', 'SET', 'min-replicas-to-write', '0');
    await eventually(() => expect(lease.lost.reason).toMatchObject({ reason: 'expired' }));
    await provider.register(instance(1), { ttl });
    expect(ids(await consumer.getInstances('orders'))).toEqual(['orders-1']);
  });

  it('is a replica: writing is refused as that, reading works', async () => {
    const master = await openServer({ config: ['--repl-diskless-sync-delay', '0'] });
    const replica = await openServer();
    await openBackend({ url: master.url }).register(instance(1), { ttl: 60_000 });
    await replica.command('REPLICAOF', master.host, master.port);
    const backend = openBackend({ url: replica.url });

    await eventually(async () => expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']));
    await expect(backend.register(instance(2), { ttl })).rejects.toThrow(/is a replica/);
    const watch = await openWatch(backend);
    await openBackend({ url: master.url }).register(instance(3), { ttl: 60_000 });
    await watch.next(({ length }) => length === 2, { timeoutMs: 5_000 });
  });

  it('takes a request that was given up after its successor: the successor stays', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url, timeoutMs: 200 });
    const other = openBackend({ url: server.url });
    await backend.listServices(); // the connection and the scripts are there
    server.freeze();
    await expect(backend.register({ ...instance(1), weight: 1 }, { ttl: 60_000 })).rejects.toThrow(
      BackendUnavailableError,
    );
    server.thaw();
    const lease = await eventually(() => backend.register({ ...instance(1), weight: 2 }, { ttl: 60_000 }));

    await eventually(async () => expect(await other.getInstances('orders')).toMatchObject([{ weight: 2 }]));
    await lease.update({ ...instance(1), weight: 3 });
    expect(await other.getInstances('orders')).toMatchObject([{ weight: 3 }]);
    expect(lease.lost.aborted).toBe(false);
  });

  it.each([
    ['its owner', 'owners', 'deleted'],
    ['its record', 'instances', 'deleted'],
  ])(
    'loses of an instance %s: the lease is lost, so that it is registered again',
    async (_, part, reason) => {
      const server = await openServer();
      const backend = openBackend({ url: server.url });
      const lease = await backend.register(instance(1), { ttl });
      await backend.register(instance(2), { ttl });
      await server.command('HDEL', `sd:{orders}:${part}`, 'orders-1');
      await eventually(() => expect(lease.lost.reason).toMatchObject({ reason }), { timeoutMs: ttl });
    },
  );

  it('has one broken service: the others are renewed as often as before', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    const services = Array.from({ length: 20 }, (_, n) => `orders-${n}`);
    const leases = await Promise.all(
      services.map((service) => backend.register(instance(1, service), { ttl: 3_000 })),
    );
    await server.command('SET', 'sd:{orders-0}:expiries', 'mine');
    const renewals = async (): Promise<number> =>
      Number(/calls=(\d+)/.exec((await server.info('commandstats')).get('cmdstat_zmscore') ?? '')?.[1] ?? 0);
    await eventually(async () => expect(await renewals()).toBeGreaterThan(0));
    const before = await renewals();
    await new Promise((resolve) => setTimeout(resolve, 2_000)); // two rounds
    expect((await renewals()) - before).toBeLessThanOrEqual(3 * 20);
    expect(leases.slice(1).filter(({ lost }) => lost.aborted)).toEqual([]);
  });

  it('is asked to register what was just given up: the second registration stays', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    await backend.listServices();
    const giveUp = new AbortController();
    const first = backend.register(instance(1), { ttl: 60_000, signal: giveUp.signal });
    const refused = expect(first).rejects.toThrow('changed my mind');
    giveUp.abort(new Error('changed my mind'));
    const lease = await backend.register(instance(1), { ttl: 60_000 });
    await refused;
    await backend.listServices(); // after whatever the first has still sent
    await backend.listServices();
    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
    expect(lease.lost.aborted).toBe(false);
  });

  it('is told of a release after the next registration of the same: that stays', async () => {
    const server = await openServer();
    const backend = openBackend({ url: server.url });
    const old = await backend.register(instance(1), { ttl: 60_000 });
    const next = backend.register(instance(1), { ttl: 60_000 });
    await old.release();
    await next;
    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
  });

  it('is down when we close: the process has nothing left to wait for', async () => {
    const server = await openServer();
    const program = fileURLToPath(new URL('closing-while-down.program.ts', import.meta.url));
    const child = spawn(process.execPath, ['--conditions=@sd/source', '--import=tsx', program, server.url], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data'); // it is connected
    const rest = text(child.stdout);
    await server.kill();
    child.stdin.end('killed\n');

    expect(Number(await rest)).toBeLessThan(1_000);
  });
});

/** Milliseconds since the first lease was granted, by the clock of Redis. */
async function overdue(server: RedisServer): Promise<number> {
  const [seconds, micros] = (await server.command('TIME')) as [string, string];
  const now = Number(seconds) * 1_000 + Number(micros) / 1_000;
  startedAt ??= now;
  return now - startedAt;
}
let startedAt: number | undefined;
