import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '@sd/testkit';
import { EtcdCluster, EtcdLearner, requireServer } from '../../../../tools/servers/index.ts';
import { ids, instance, openBackend, openServer, openView } from './open-backend.ts';

describe.skipIf(!requireServer('etcd'))('three members', { timeout: 20_000 }, () => {
  let cluster: EtcdCluster;
  beforeAll(async () => {
    cluster = await EtcdCluster.start();
  });
  afterAll(() => cluster.stop());

  it('lose their leader under load: no view lacks anybody, no registration is lost, no update fails', async () => {
    const endpoints = cluster.nodes.map(({ url }) => url);
    const providers = [0, 1, 2].map((n) => openBackend({ endpoints, rng: () => n / 3, timeoutMs: 5_000 }));
    const leases = await Promise.all(
      providers.flatMap((backend, p) =>
        [1, 2].map((n) => backend.register(instance(2 * p + n), { ttl: 3_000 })),
      ),
    );
    const views = await Promise.all(
      [0, 1, 2].map((n) => openView(openBackend({ endpoints, rng: () => n / 3 }))),
    );
    await Promise.all(views.map((view) => view.shows(({ length }) => length === 6, 5_000)));
    const known = views.map(({ views: all }) => all.length);

    let weight = 0;
    let isOver = false;
    const failures: unknown[] = [];
    const load = Promise.all(
      leases.map(async (lease) => {
        while (!isOver) {
          weight += 1;
          const update = { ...lease.instance, weight: weight % 10_000 };
          await lease.update(update).catch((error: unknown) => failures.push(error));
        }
      }),
    );
    await eventually(() => expect(weight).toBeGreaterThan(50));
    const leader = await cluster.leader();
    await leader.kill();
    await cluster.leader();
    const before = weight;
    await eventually(() => expect(weight).toBeGreaterThan(before + 100), { timeoutMs: 10_000 });
    isOver = true;
    await load;

    expect(failures.map(String)).toEqual([]);
    expect(leases.filter(({ lost }) => lost.aborted)).toEqual([]);
    for (const [index, view] of views.entries()) {
      const last = leases.map(({ instance }) => instance.weight).sort((a, b) => a - b);
      await view.shows(
        (seen) =>
          seen
            .map((each) => each.weight)
            .sort((a, b) => a - b)
            .join() === last.join(),
        5_000,
      );
      expect(view.fewest(known[index])).toBe(6);
    }
    await leader.start();
    await cluster.waitUntilOk();
  });

  it('are cut to one that has no quorum: watches of it end, and go on at another member', async () => {
    const endpoints = cluster.nodes.map(({ url }) => url);
    const [first, ...others] = cluster.nodes;
    const backend = openBackend({ endpoints, rng: () => 0 });
    const view = await openView(backend, 'quorum');
    for (const node of others) node.freeze();
    await eventually(() => expect(view.view.state).toBe('stale'), { timeoutMs: 10_000 });
    for (const node of others) node.thaw();
    await cluster.waitUntilOk();

    const provider = openBackend({ endpoints: first?.url });
    await eventually(() => provider.register(instance(1, 'quorum'), { ttl: 60_000 }), { timeoutMs: 10_000 });
    await view.shows((seen) => ids(seen).join() === 'quorum-1', 10_000);
  });

  it('leave one without a leader: another endpoint is used within the limit of the same request', async () => {
    const [first, ...others] = cluster.nodes;
    const second = await openServer(); // as the others have it, whom the first is cut off from
    const alone = openBackend({ endpoints: first?.url });
    await alone.listServices();
    for (const node of others) node.freeze();
    await eventually(() => expect(alone.listServices()).rejects.toThrow('no leader'), { timeoutMs: 10_000 });

    const endpoints = [first?.url ?? '', second.url];
    const backend = openBackend({ endpoints, rng: () => 0.4, timeoutMs: 3_000 });
    expect(await backend.listServices()).toEqual([]);
    for (const node of others) node.thaw();
    await cluster.waitUntilOk();
  });
});

describe.skipIf(!requireServer('etcd'))('a member that only learns yet', { timeout: 20_000 }, () => {
  it('is left for another endpoint at once', async () => {
    const server = await openServer();
    const learner = await EtcdLearner.startBeside(server);
    onTestFinished(() => learner.stop());
    const alone = openBackend({ endpoints: learner.url });
    await expect(alone.listServices()).rejects.toThrow('not supported for learner');

    const backend = openBackend({ endpoints: [learner.url, server.url], rng: () => 0.4 });
    await backend.register(instance(1), { ttl: 60_000 });
    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
  });
});
