import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { BackendUnavailableError, sleep, systemClock } from '@sd/core';
import { eventually, haltableClock } from '@sd/testkit';
import { requireServer } from '../../../../tools/servers/index.ts';
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

const ttl = 1_000;
const users = [{ name: 'sd', password: 'secret', prefix: '/sd/' }];
const login = { username: 'sd', password: 'secret' };

describe.skipIf(!requireServer('etcd'))('what etcd may do', { timeout: 20_000 }, () => {
  it('lets tokens run out: nobody notices', async () => {
    const server = await openServer({ users, tokenSeconds: 2 }); // whole ones, cut off: one or two
    const backend = openBackend({ endpoints: server.url, ...login });
    const first = await openWatch(backend);
    const lease = await backend.register(instance(1), { ttl });

    await sleep(systemClock, 2_500, { keepAlive: true });
    const second = await openWatch(backend, 'payments'); // over a new stream, as the old one has an old token
    await backend.register(instance(1, 'payments'), { ttl });
    await lease.update({ ...instance(1), weight: 9 });

    await first.next(([seen]) => seen?.weight === 9, { timeoutMs: 5_000 });
    await second.next(({ length }) => length === 1, { timeoutMs: 5_000 });
    expect(first.end).toBeUndefined();
    expect(lease.lost.aborted).toBe(false);
    expect(await server.metric('grpc_server_started_total', 'grpc_method="Watch"')).toBe(2);
  });

  it('changes the rights of others, which makes all tokens old: nobody notices', async () => {
    const server = await openServer({ users, tokenSeconds: 60 });
    const backend = openBackend({ endpoints: server.url, ...login });
    const watch = await openWatch(backend);
    await server.call('auth/user/add', { name: 'another', password: 'secret' });

    await backend.register(instance(1), { ttl: 60_000 });
    const other = await openWatch(backend, 'payments');
    await backend.register(instance(1, 'payments'), { ttl: 60_000 });

    await watch.next(({ length }) => length === 1, { timeoutMs: 5_000 });
    await other.next(({ length }) => length === 1, { timeoutMs: 5_000 });
    expect(watch.end).toBeUndefined();
  });

  it('loses all data, users included: its tokens of before, which it never answers, are not used', async () => {
    const server = await openServer({ users });
    const backend = openBackend({ endpoints: server.url, ...login });
    for (let n = 0; n < 20; n += 1) await backend.register(instance(n), { ttl: 60_000 });
    await server.restart({ keepData: false });
    await eventually(async () => expect(await backend.getInstances('orders')).toEqual([]));
  });

  it('loses all data: watches end, and leases are lost as that', async () => {
    const server = await openServer();
    const backend = openBackend({ endpoints: server.url });
    const lease = await backend.register(instance(1), { ttl: 60_000 });
    const watch = await openWatch(backend);

    await server.restart({ keepData: false });

    await eventually(() => expect(watch.end?.error).toBeInstanceOf(BackendUnavailableError));
    expect(watch.snapshots.every(({ instances }) => instances.length === 1)).toBe(true);
    await eventually(() => expect(lease.lost.reason).toMatchObject({ reason: 'store-lost' }), {
      timeoutMs: 5_000, // long before the next renewal: what is read of our keys tells
    });
  });

  it('forgets its history while a consumer is away and its watch is open: both see all', async () => {
    const server = await openServer();
    const proxy = await openProxy(server);
    const there = await openWatch(openBackend({ endpoints: server.url }));
    const view = await openView(openBackend({ endpoints: urlOf(proxy) }));
    const provider = openBackend({ endpoints: server.url });
    await provider.register(instance(1), { ttl: 60_000 });
    const leaving = await provider.register(instance(2), { ttl: 60_000 });
    await view.shows(({ length }) => length === 2, 5_000);

    await proxy.set({ refuse: true });
    proxy.reset();
    await leaving.release();
    await server.compact();
    await provider.register(instance(3), { ttl: 60_000 });
    await proxy.heal();

    await view.shows((seen) => ids(seen).join() === 'orders-1,orders-3', 5_000);
    await there.next((seen) => ids(seen).join() === 'orders-1,orders-3', { timeoutMs: 5_000 });
    expect(there.end).toBeUndefined();
  });

  it('forgets what a watch that is behind has not seen yet: it reads again, and goes on', async () => {
    const server = await openServer();
    const proxy = await openProxy(server);
    const backend = openBackend({ endpoints: urlOf(proxy), timeoutMs: 10_000 });
    const watch = await openWatch(backend);
    await proxy.set({ blackHole: 'to-client' });
    const metadata = { large: 'x'.repeat(4_000) };
    const provider = openBackend({ endpoints: server.url });
    const lease = await provider.register({ ...instance(1), metadata }, { ttl: 60_000 });
    for (let weight = 1; weight <= 300; weight += 1) await lease.update({ ...instance(1), metadata, weight });
    await server.compact();
    await proxy.heal();

    await watch.next(([seen]) => seen?.weight === 300, { timeoutMs: 5_000 });
    await lease.update({ ...instance(1), weight: 1_000 });
    await watch.next(([seen]) => seen?.weight === 1_000, { timeoutMs: 5_000 });
    expect(watch.end).toBeUndefined();
  });

  it('has one instance of many released: the others stay, and keep their lease', async () => {
    const server = await openServer();
    const backend = openBackend({ endpoints: server.url });
    const leases = await Promise.all([1, 2, 3].map((n) => backend.register(instance(n), { ttl })));
    await leases[0]?.release();
    const watch = await openWatch(backend);
    await sleep(systemClock, 3 * ttl, { keepAlive: true });
    expect(watch.snapshots.map(({ instances }) => ids(instances))).toEqual([['orders-2', 'orders-3']]);
  });

  it('does not delete what somebody else has put in the place of what is released', async () => {
    const server = await openServer();
    const clock = haltableClock(systemClock);
    const backend = openBackend({ endpoints: server.url, clock });
    const lease = await backend.register(instance(1), { ttl: 60_000 });
    const successor = openBackend({ endpoints: server.url });
    await Promise.all([successor.register({ ...instance(1), weight: 2 }, { ttl: 60_000 }), lease.release()]);
    const seen = await successor.getInstances('orders');
    // Whichever came first: a release deletes its own, or nothing.
    expect(seen).toMatchObject([{ weight: 2 }]);
  });

  it('does what was given up while it stood still: nothing stays that nobody holds', async () => {
    const server = await openServer();
    const backend = openBackend({ endpoints: server.url, timeoutMs: 300 });
    const held = await backend.register(instance(1), { ttl: 3_000 });
    server.freeze();
    await expect(backend.register(instance(2), { ttl: 3_000 })).rejects.toThrow(BackendUnavailableError);
    server.thaw();

    const other = openBackend({ endpoints: server.url });
    await eventually(async () => expect(ids(await other.getInstances('orders'))).toEqual(['orders-1']), {
      timeoutMs: 5_000,
    });
    await sleep(systemClock, 1_500, { keepAlive: true }); // a renewal later
    expect(ids(await other.getInstances('orders'))).toEqual(['orders-1']);
    expect(held.lost.aborted).toBe(false);
  });

  it('takes what is registered right after its release, and does not say so: nothing stays that nobody holds', async () => {
    const server = await openServer();
    const proxy = await openProxy(server);
    const backend = openBackend({ endpoints: urlOf(proxy), timeoutMs: 1_500 });
    const [first] = await Promise.all([1, 2].map((n) => backend.register(instance(n), { ttl: 3_000 })));
    await proxy.set({ latencyMs: 300 });
    const releasing = first?.release();
    const refused = expect(backend.register(instance(1), { ttl: 3_000 })).rejects.toThrow(
      BackendUnavailableError,
    );
    await releasing;
    await proxy.set({ blackHole: 'to-client' }); // the next registration is on its way
    await refused;
    await proxy.heal();

    const other = openBackend({ endpoints: server.url });
    await eventually(async () => expect(ids(await other.getInstances('orders'))).toEqual(['orders-2']), {
      timeoutMs: 8_000,
    });
  });

  it('takes what is registered while its predecessor is deleted, and does not say so: nothing stays that nobody holds', async () => {
    const server = await openServer();
    const proxy = await openProxy(server);
    const backend = openBackend({ endpoints: urlOf(proxy), timeoutMs: 2_000 });
    const [first] = await Promise.all([1, 2].map((n) => backend.register(instance(n), { ttl: 3_000 })));
    await openWatch(backend); // the guards of keys watch by then
    await proxy.set({ latencyMs: 600 });
    const refused = expect(backend.register(instance(1), { ttl: 3_000 })).rejects.toThrow(
      BackendUnavailableError,
    );
    const lost = once(first?.lost ?? new EventTarget(), 'abort');
    await server.delete('/sd/orders/orders-1');
    await lost;
    await proxy.set({ blackHole: 'to-client' }); // the answer is on its way
    await refused;
    await proxy.heal();

    const other = openBackend({ endpoints: server.url });
    await eventually(async () => expect(ids(await other.getInstances('orders'))).toEqual(['orders-2']), {
      timeoutMs: 8_000,
    });
  });

  it('takes a request that was given up after its successor: the successor wins, or is lost and knows it', async () => {
    const server = await openServer();
    const backend = openBackend({ endpoints: server.url, timeoutMs: 300 });
    await backend.listServices();
    server.freeze();
    await expect(backend.register({ ...instance(1), weight: 1 }, { ttl: 60_000 })).rejects.toThrow(
      BackendUnavailableError,
    );
    server.thaw();
    const lease = await eventually(() => backend.register({ ...instance(1), weight: 2 }, { ttl: 60_000 }));

    await eventually(async () => {
      const [seen] = await backend.getInstances('orders');
      expect(seen?.weight === 2 || lease.lost.aborted).toBe(true);
    });
  });

  it('is asked to register what was just given up: the second registration stays', async () => {
    const server = await openServer();
    const backend = openBackend({ endpoints: server.url });
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
    const backend = openBackend({ endpoints: server.url });
    const old = await backend.register(instance(1), { ttl: 60_000 });
    const next = backend.register(instance(1), { ttl: 60_000 });
    await old.release();
    const lease = await next;
    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
    expect(lease.lost.aborted).toBe(false);
  });

  it('takes an instance from its lease: it is lost, so that it is registered again', async () => {
    const server = await openServer();
    const backend = openBackend({ endpoints: server.url });
    const lease = await backend.register(instance(1), { ttl: 60_000 });
    const [entry] = await server.entries('/sd/orders/orders-1');
    await server.put('/sd/orders/orders-1', entry?.value ?? '');
    await eventually(() => expect(lease.lost.reason).toMatchObject({ reason: 'deleted' }));
  });

  it('is away for long while one of several is released: that is gone soon after, and not kept with the others', async () => {
    const server = await openServer();
    const backend = openBackend({ endpoints: server.url, timeoutMs: 200 });
    const [released] = await Promise.all([1, 2].map((n) => backend.register(instance(n), { ttl: 8_000 })));
    await server.kill();
    await expect(released?.release()).rejects.toThrow(BackendUnavailableError);
    await sleep(systemClock, 2_500, { keepAlive: true }); // until no request of before can come through any more
    await server.start({ keepData: true });
    const idsOf = async () => ids(await backend.getInstances('orders'));
    await eventually(async () => expect(await idsOf()).toEqual([instance(2).id]), { timeoutMs: 12_000 });
  });

  it('gives an instance to another process: the lease that is left for nobody is not kept', async () => {
    const server = await openServer();
    const lease = await openBackend({ endpoints: server.url }).register(instance(1), { ttl });
    const leases = await server.call('lease/leases', {});
    const [{ ID }] = (leases as { leases: [{ ID: string }] }).leases;
    await openBackend({ endpoints: server.url }).register(instance(1), { ttl: 60_000 });
    await eventually(() => expect(lease.lost.aborted).toBe(true));
    await eventually(
      async () => expect(await server.call('lease/timetolive', { ID })).toMatchObject({ TTL: '-1' }),
      { timeoutMs: 10_000 },
    );
  });

  it('has lost the lease that two registrations are put under at once: both are held under another', async () => {
    const server = await openServer();
    const proxy = await openProxy(server);
    const backend = openBackend({ endpoints: urlOf(proxy) });
    await backend.register(instance(1), { ttl: 60_000 });
    const leases = await server.call('lease/leases', {});
    const [{ ID }] = (leases as { leases: [{ ID: string }] }).leases;
    await proxy.set({ latencyMs: 100 });
    await server.call('lease/revoke', { ID });
    const held = await Promise.all([2, 3].map((n) => backend.register(instance(n), { ttl: 60_000 })));
    await proxy.heal();
    for (const { lost, instance: own } of held) {
      const isThere = (await backend.getInstances('orders')).some(({ id }) => id === own.id);
      expect(isThere).toBe(!lost.aborted);
    }
  });

  it('has its keys deleted by a stranger: the provider knows at once, whether it has one or many', async () => {
    const server = await openServer();
    const backend = openBackend({ endpoints: server.url });
    const one = await backend.register(instance(1), { ttl: 60_000 });
    const many = await Promise.all(
      [1, 2, 3].map((n) => backend.register(instance(n, 'many'), { ttl: 60_000 })),
    );
    await openWatch(backend); // the guards of keys watch by then
    await server.delete('/sd/orders/orders-1');
    await server.delete('/sd/many/many-2');
    await eventually(() => expect(one.lost.reason).toMatchObject({ reason: 'deleted' }), {
      timeoutMs: 1_000,
    });
    await eventually(() => expect(many.map(({ lost }) => lost.aborted)).toEqual([false, true, false]), {
      timeoutMs: 1_000,
    });
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
