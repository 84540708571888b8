import { afterAll, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { AccessDeniedError, BackendUnavailableError, sleep, systemClock, type Lease } from '@sd/core';
import { eventually, FaultProxy } from '@sd/testkit';
import { requireServer, ZooKeeperServer } from '../../../../tools/servers/index.ts';
import { create, exists, getChildren, getData, permissions, setData } from '../src/protocol/requests.ts';
import { hasCode } from '../src/protocol/zookeeper-error.ts';
import type { ZooKeeperBackendOptions } from '../src/index.ts';
import { ids, instance, openBackend, openServer, openWatch, strangerAt } from './open-backend.ts';
import type { Stranger } from './stranger.ts';

const ttl = 1_000;
const nobody = [{ permissions: permissions.all, scheme: 'digest', id: 'nobody:x' }];

describe.skipIf(!requireServer('zookeeper'))('what ZooKeeper may do', { timeout: 30_000 }, () => {
  let server: ZooKeeperServer;
  let stranger: Stranger;
  let root = '';
  let roots = 0;
  const open = (options: ZooKeeperBackendOptions = {}) => openBackend(server, { root, ...options });
  const ownerOf = async (n: number): Promise<bigint | undefined> => {
    try {
      return (await stranger.do(exists(`${root}/orders/orders-${n}`))).ephemeralOwner;
    } catch (error) {
      if (hasCode(error, 'NoNode')) return undefined;
      throw error;
    }
  };
  const reasonOf = ({ lost }: Lease) =>
    eventually(() => {
      expect(lost.aborted).toBe(true);
      return (lost.reason as { reason: string }).reason;
    });
  beforeAll(async () => {
    server = await ZooKeeperServer.start();
    stranger = strangerAt(server);
  }, 60_000);
  afterAll(() => server.stop());
  beforeEach(() => {
    root = `/root-${(roots += 1)}`;
  });

  it('ends a session: all that hung on it is lost as expired, and what is registered next has another', async () => {
    const backend = open();
    const leases = await Promise.all([1, 2, 3].map((n) => backend.register(instance(n), { ttl })));
    const before = await ownerOf(1);

    await stranger.endSessionOf(`${root}/orders/orders-1`);

    expect(await Promise.all(leases.map(reasonOf))).toEqual(['expired', 'expired', 'expired']);
    await backend.register(instance(1), { ttl });
    expect(await ownerOf(1)).not.toBe(before);
    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
  });

  it('closes a connection: the session goes on, and nothing is lost or changed', async () => {
    const backend = open();
    const watch = await openWatch(open());
    const lease = await backend.register(instance(1), { ttl });
    const owner = (await ownerOf(1)) ?? 0n;

    for (let round = 0; round < 3; round += 1) {
      await stranger.interrupt(owner, server);
      await lease.update({ ...instance(1), weight: round });
    }

    expect(await ownerOf(1)).toBe(owner);
    expect(lease.lost.aborted).toBe(false);
    await eventually(() => expect(watch.latest).toMatchObject([{ weight: 2 }]));
  });

  it('is told of a node that was deleted while we had no connection', async () => {
    const proxy = await proxyOf(server);
    const backend = openBackend(proxy, { root });
    const lease = await backend.register(instance(1), { ttl: 5_000 });
    await proxy.set({ refuse: true });
    proxy.reset();
    await stranger.endSessionOf(`${root}/orders/orders-1`);
    await proxy.heal();
    expect(await reasonOf(lease)).toBe('expired');
  });

  it('keeps one session for each ttl, and one for lookups and watches, whatever they are', async () => {
    const backend = open();
    const before = await connectionsOf(server);
    const leases = await Promise.all(
      Array.from({ length: 60 }, (_, n) => backend.register(instance(n + 1), { ttl: ttl * ((n % 2) + 1) })),
    );
    await Promise.all(Array.from({ length: 20 }, (_, n) => openWatch(backend, `service-${n}`)));
    expect((await connectionsOf(server)) - before).toBe(3);
    await Promise.all(leases.map((lease) => lease.release()));
    await eventually(async () => expect((await connectionsOf(server)) - before).toBe(1));
  });

  it('has a node of our former life: it is replaced, and does not end with the old session', async () => {
    const proxy = await proxyOf(server);
    const former = openBackend(proxy, { root });
    await former.register(instance(1), { ttl });
    await proxy.set({ blackHole: 'both' }); // killed: nobody says goodbye
    const old = await ownerOf(1);
    const watch = await openWatch(open());

    const lease = await open().register(instance(1), { ttl });

    const owner = await ownerOf(1);
    expect(owner).not.toBe(old);
    await eventually(async () => expect(await server.ask('dump')).not.toContain(hex(old)), {
      timeoutMs: 5_000,
    });
    expect(await ownerOf(1)).toBe(owner);
    expect(watch.snapshots).toHaveLength(1);
    expect(lease.lost.aborted).toBe(false);
  });

  it('loses the node of the service between two registrations: it is made again', async () => {
    const backend = open();
    const keeping = await backend.register(instance(1, 'payments'), { ttl });
    await (await backend.register(instance(1), { ttl })).release();
    await eventually(async () => expect(await stranger.do(getChildren(root))).toEqual(['payments']), {
      timeoutMs: 10_000,
    });
    await backend.register(instance(2), { ttl });
    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-2']);
    expect(keeping.lost.aborted).toBe(false);
  }, 15_000);

  it('a watch of a service sees it come, vanish with its node, and come again', async () => {
    const backend = open();
    const watch = await openWatch(backend);
    const first = await backend.register(instance(1), { ttl });
    await watch.next(({ length }) => length === 1, { timeoutMs: 2_000 });
    await first.release();
    await eventually(async () => expect(await rootExists(stranger, root)).toBe(false), { timeoutMs: 10_000 });
    await backend.register(instance(2), { ttl });
    await eventually(() => expect(ids(watch.latest ?? [])).toEqual(['orders-2']));
    expect(watch.end).toBeUndefined();
  }, 15_000);

  it('lets a stranger change our node: it is as we wrote it again', async () => {
    const backend = open();
    const lease = await backend.register(instance(1), { ttl });
    const path = `${root}/orders/orders-1`;
    await stranger.do(setData(path, 'nonsense', -1));
    await eventually(async () =>
      expect((await stranger.do(getData(path))).data.toString()).toBe(JSON.stringify(instance(1))),
    );
    await lease.update({ ...instance(1), weight: 9 });
    expect(await backend.getInstances('orders')).toMatchObject([{ weight: 9 }]);
  });

  it('does not answer a registration: it is refused at the deadline, and leaves nothing when ZooKeeper goes on', async () => {
    const own = await openServer();
    const backend = openBackend(own, { timeoutMs: 1_500 });
    const kept = await backend.register(instance(1), { ttl: 20_000 });
    own.freeze();
    await expect(backend.register(instance(2), { ttl: 20_000 })).rejects.toThrow(BackendUnavailableError);
    await expect(kept.update({ ...instance(1), weight: 7 })).rejects.toThrow(BackendUnavailableError);
    own.thaw();

    const other = openBackend(own);
    await eventually(async () => {
      expect(ids(await other.getInstances('orders'))).toEqual(['orders-1']);
      await kept.update({ ...instance(1), weight: 8 });
    });
    await eventually(async () => expect(await other.getInstances('orders')).toMatchObject([{ weight: 8 }]));
    expect(kept.lost.aborted).toBe(false);
  }, 20_000);

  it('is away when a lease is released: the instance is taken out when it is back', async () => {
    const proxy = await proxyOf(server);
    const backend = openBackend(proxy, { root });
    await backend.register(instance(1), { ttl: 30_000 });
    const leaving = await backend.register(instance(2), { ttl: 30_000 });
    await proxy.set({ refuse: true });
    proxy.reset();
    await expect(leaving.release()).rejects.toThrow(BackendUnavailableError);
    await proxy.heal();
    await eventually(async () => expect(ids(await open().getInstances('orders'))).toEqual(['orders-1']));
  });

  it('is asked to register what was just given up: the second registration stays', async () => {
    const backend = open();
    await backend.listServices();
    const giveUp = new AbortController();
    const first = backend.register(instance(1), { ttl, signal: giveUp.signal });
    const refused = expect(first).rejects.toThrow('changed my mind');
    giveUp.abort(new Error('changed my mind'));
    const lease = await backend.register(instance(1), { ttl });
    await refused;
    await lease.update(instance(1)); // after whatever the first has still sent
    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
    expect(lease.lost.aborted).toBe(false);
  });

  it('is asked to register once more what is registered, and that is given up: the first lease is told', async () => {
    const backend = open();
    const lease = await backend.register(instance(1), { ttl });
    const giveUp = new AbortController();
    const next = backend.register({ ...instance(1), weight: 2 }, { ttl, signal: giveUp.signal });
    giveUp.abort(new Error('changed my mind'));
    await expect(next).rejects.toThrow('changed my mind');
    expect(await reasonOf(lease)).toBe('deleted'); // nobody else has it: it may be registered again
    await eventually(async () => expect(await backend.getInstances('orders')).toEqual([]));
  });

  it('breaks off the later two of three registrations of the same: the first stays', async () => {
    const proxy = await proxyOf(server);
    const backend = openBackend(proxy, { root });
    await backend.register(instance(2), { ttl: 30_000 });
    await proxy.set({ latencyMs: 100 });
    const [first, ...more] = [1, 2, 3].map((weight) =>
      sleep(systemClock, 10 * weight, { keepAlive: true }).then(() =>
        backend.register({ ...instance(1), weight }, { ttl: 30_000 }),
      ),
    );
    const outcomes = Promise.allSettled(more);
    const lease = await first;
    await proxy.set({ refuse: true });
    proxy.reset();
    expect((await outcomes).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await proxy.heal();
    await eventually(() => backend.register(instance(3), { ttl: 30_000 })); // the session is resumed
    expect(ids(await open().getInstances('orders'))).toEqual(['orders-1', 'orders-2', 'orders-3']);
    expect(lease?.lost.aborted).toBe(false);
  });

  it('has a session for the second of two registrations of the same, and none for the first: the second stays', async () => {
    const backend = open();
    await backend.register(instance(2), { ttl: 30_000 });
    const [first, second] = await Promise.all([
      backend.register({ ...instance(1), weight: 1 }, { ttl: 20_000 }),
      backend.register({ ...instance(1), weight: 2 }, { ttl: 30_000 }),
    ]);
    expect(await reasonOf(first)).toBe('replaced');
    const found = await open().getInstances('orders');
    expect(found.map(({ weight }) => weight).sort()).toEqual([1, 2]);
    await second.update({ ...instance(1), weight: 3 });
    await second.release();
    expect(ids(await open().getInstances('orders'))).toEqual(['orders-2']);
  });

  it('denies one registration: the others of its session are resumed all the same', async () => {
    const anybody = [{ permissions: permissions.all, scheme: 'world', id: 'anyone' }];
    await stranger.do(create(root, { data: '', acl: anybody, kind: 'persistent' }));
    await stranger.do(create(`${root}/secret`, { data: '', acl: nobody, kind: 'persistent' }));
    const backend = open();
    const lease = await backend.register(instance(1), { ttl: 20_000 });
    const owner = (await ownerOf(1)) ?? 0n;
    await expect(backend.register(instance(1, 'secret'), { ttl: 20_000 })).rejects.toThrow(AccessDeniedError);

    await stranger.interrupt(owner, server);

    await lease.update({ ...instance(1), weight: 5 });
    expect(await backend.getInstances('orders')).toMatchObject([{ weight: 5 }]);
    expect(await ownerOf(1)).toBe(owner);
  });

  it('lets us see one service of two: the other is left out of the list, and reported', async () => {
    const backend = open();
    await backend.register(instance(1), { ttl });
    await stranger.do(create(`${root}/secret`, { data: '', acl: nobody, kind: 'persistent' }));
    expect(await backend.listServices()).toEqual(['orders']);
    expect(backend.malformed.count).toBe(1);
  });

  it('is told of a release after the next registration of the same: that stays', async () => {
    const backend = open();
    const old = await backend.register(instance(1), { ttl });
    const next = backend.register({ ...instance(1), weight: 2 }, { ttl });
    await old.release();
    const lease = await next;
    expect(await backend.getInstances('orders')).toMatchObject([{ weight: 2 }]);
    expect(lease.lost.aborted).toBe(false);
  });

  it('moves an instance to the session of another ttl, and back, with no watcher noticing', async () => {
    const backend = open();
    await backend.register(instance(1), { ttl });
    const watch = await openWatch(open());
    const leases = [];
    for (const factor of [2, 1, 3]) leases.push(await backend.register(instance(1), { ttl: factor * ttl }));
    expect(leases.map(({ lost }) => lost.aborted)).toEqual([true, true, false]);
    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
    expect(watch.snapshots).toHaveLength(1);
  });

  it('gives another time than was asked for, and that is logged once', async () => {
    const lines: string[] = [];
    const log = (line: string): void => void lines.push(line);
    const logger = { debug: log, info: log, warn: log, error: log };
    const backend = open({ logger });
    await backend.register(instance(1), { ttl: 50 });
    await backend.register(instance(2), { ttl: 50 });
    expect(lines).toEqual([expect.stringContaining('a session of 200 ms where 50 were asked for')]);
  });

  it('reads two thousand instances that were there before, and each change after that by itself', async () => {
    const provider = open({ timeoutMs: 10_000 });
    await Promise.all(
      Array.from({ length: 2_000 }, (_, n) =>
        provider.register({ ...instance(1), id: `orders-${n}` }, { ttl: 20_000 }),
      ),
    );
    const watch = await openWatch(open({ timeoutMs: 10_000 }));
    expect(watch.latest).toHaveLength(2_000);
    const received = async () => Number(/^Received: (\d+)/m.exec(await server.ask('srvr'))?.[1]);
    const before = await received();
    await provider.register({ ...instance(1), id: 'one-more' }, { ttl: 20_000 });
    await watch.next(({ length }) => length === 2_001, { timeoutMs: 2_000 });
    expect((await received()) - before).toBeLessThan(20);
  }, 30_000);

  it('gets a burst of changes: the last state is seen', async () => {
    const provider = open();
    const watch = await openWatch(open());
    const leases = await Promise.all(
      Array.from({ length: 50 }, (_, n) => provider.register(instance(n + 1), { ttl: 5_000 })),
    );
    await Promise.all(
      leases.map(async (lease, n) => {
        for (let weight = 1; weight <= 10; weight += 1) await lease.update({ ...lease.instance, weight });
        if (n % 2 === 0) await lease.release();
      }),
    );
    await eventually(() => {
      expect(watch.latest).toHaveLength(25);
      expect(watch.latest?.every(({ weight }) => weight === 10)).toBe(true);
    });
  });
});

async function proxyOf(server: ZooKeeperServer): Promise<FaultProxy> {
  const proxy = await FaultProxy.listen({ host: server.host, port: server.port });
  onTestFinished(() => proxy.close());
  return proxy;
}

async function connectionsOf(server: ZooKeeperServer): Promise<number> {
  return [...(await server.ask('cons')).matchAll(/sid=0x[1-9a-f]/g)].length;
}

async function rootExists(stranger: Stranger, root: string): Promise<boolean> {
  try {
    await stranger.do(exists(root));
    return true;
  } catch (error) {
    if (hasCode(error, 'NoNode')) return false;
    throw error;
  }
}

const hex = (id: bigint | undefined): string => `0x${BigInt.asUintN(64, id ?? 0n).toString(16)}`;
