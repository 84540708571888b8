import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { seededRng, sleep, systemClock } from '@sd/core';
import { eventually, realTime, silentLogger, ViewRecorder } from '@sd/testkit';
import { requireServer, ZooKeeperEnsemble } from '../../../../tools/servers/index.ts';
import { ZooKeeperBackend, type ZooKeeperBackendOptions } from '../src/index.ts';
import { addressesOf } from './deployments.ts';
import { ids, instance } from './open-backend.ts';

const ttl = 4_000;

describe.skipIf(!requireServer('zookeeper'))('an ensemble of three', { timeout: 30_000 }, () => {
  let group: ZooKeeperEnsemble;
  let roots = 0;
  beforeAll(async () => {
    group = await ZooKeeperEnsemble.start();
  }, 90_000);
  afterAll(() => group.stop());
  afterEach(async () => {
    await Promise.all(group.nodes.filter(({ isUp }) => !isUp).map((node) => node.start()));
    await group.waitUntilOk();
  }, 60_000);

  const opener = () => {
    const root = `/root-${(roots += 1)}`;
    return (options: ZooKeeperBackendOptions = {}) => {
      const connectionString = addressesOf(group.nodes);
      const backend = new ZooKeeperBackend({ connectionString, root, logger: silentLogger, ...options });
      onTestFinished(() => backend.close());
      return backend;
    };
  };

  it('spreads clients over its servers', async () => {
    const open = opener();
    await Promise.all(
      Array.from({ length: 12 }, (_, seed) => open({ rng: seededRng(seed) }).getInstances('orders')),
    );
    const connections = await Promise.all(group.nodes.map((node) => node.ask('cons')));
    for (const each of connections) expect(each).toMatch(/sid=0x[1-9a-f]/);
  });

  it('loses its leader under a stream of updates: no registration is lost, no view lacks anybody, and updates go on', async () => {
    const open = opener();
    const backends = [1, 2, 3].map((seed) => open({ rng: seededRng(seed) }));
    const leases = await Promise.all(
      backends.flatMap((backend, host) =>
        [1, 2, 3, 4].map((n) => backend.register(instance(10 * host + n), { ttl })),
      ),
    );
    const view = new ViewRecorder(open(), 'orders', { time: realTime(), rng: seededRng(9), ttl });
    onTestFinished(() => view.close());
    await view.shows(({ length }) => length === 12, 10_000);
    const known = view.views.length;

    let isOver = false;
    let updates = 0;
    const stream = Promise.all(
      leases.map(async (lease) => {
        for (let weight = 1; !isOver; weight = (weight % 1_000) + 1) {
          await eventually(() => lease.update({ ...lease.instance, weight }), { timeoutMs: 20_000 });
          updates += 1;
          await sleep(systemClock, 10, { keepAlive: true });
        }
      }),
    );
    await eventually(() => expect(updates).toBeGreaterThan(100));
    await (await group.leader()).kill();
    const before = updates;
    await eventually(() => expect(updates).toBeGreaterThan(before + 100), { timeoutMs: 20_000 });
    isOver = true;
    await stream;

    const last = leases.map(({ instance: { id, weight } }) => `${id}=${weight}`).sort();
    await view.shows(
      (instances) =>
        instances
          .map(({ id, weight }) => `${id}=${weight}`)
          .sort()
          .join() === last.join(),
      10_000,
    );
    expect(leases.filter(({ lost }) => lost.aborted)).toEqual([]);
    expect(view.fewest(known)).toBe(12);
  }, 60_000);

  it('loses a follower: its clients go on with the others, in the same sessions', async () => {
    const open = opener();
    const backends = Array.from({ length: 6 }, (_, seed) => open({ rng: seededRng(seed) }));
    const leases = await Promise.all(
      backends.map((backend, n) => backend.register(instance(n + 1), { ttl: 6_000 })),
    );
    const leader = await group.leader();
    await group.nodes.find((node) => node !== leader)?.kill();
    await Promise.all(
      leases.map((lease) =>
        eventually(() => lease.update({ ...lease.instance, weight: 2 }), { timeoutMs: 6_000 }),
      ),
    );
    expect(leases.filter(({ lost }) => lost.aborted)).toEqual([]);
    await eventually(async () => expect(await open().getInstances('orders')).toHaveLength(6));
  }, 30_000);

  it('loses two of three: what is left refuses, and goes on when another is back', async () => {
    const open = opener();
    const backend = open({ timeoutMs: 1_000 });
    await backend.register(instance(1), { ttl: 60_000 });
    const [first, second] = group.nodes;
    await Promise.all([first?.kill(), second?.kill()]);
    await eventually(
      () => expect(backend.getInstances('orders')).rejects.toThrow(/no leader|ECONNREFUSED|within/),
      {
        timeoutMs: 15_000,
      },
    );
    await first?.start();
    await eventually(async () => expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']), {
      timeoutMs: 15_000,
    });
  }, 60_000);

  it('what one server was told is read from any other at once', async () => {
    const open = opener();
    const writer = open({ rng: seededRng(1) });
    const readers = Array.from({ length: 6 }, (_, seed) => open({ rng: seededRng(seed) }));
    await Promise.all(readers.map((reader) => reader.getInstances('orders')));
    for (let n = 1; n <= 20; n += 1) {
      await writer.register(instance(n), { ttl });
      const seen = await Promise.all(readers.map((reader) => reader.getInstances('orders')));
      expect(seen.map(({ length }) => length)).toEqual(readers.map(() => n));
    }
  });
});
