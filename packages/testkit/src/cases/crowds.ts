import { expect } from 'vitest';
import { countingRequests, disturbing, killing, registering } from '../capability.ts';
import { conformanceCase, type ConformanceCase } from '../conformance-case.ts';
import { eventually } from '../eventually.ts';

/** Many instances, watches and processes. */
export const crowds: readonly ConformanceCase[] = [
  conformanceCase(7, 'a thousand instances in one process stay registered', registering, async (scene) => {
    const { ttl } = scene.harness;
    const { backend } = await scene.harness.createClient();
    const leases = await Promise.all(
      thousand.map((n) => backend.register({ ...scene.instance(1), id: `orders-${n}`, port: n }, { ttl })),
    );
    const watch = await scene.watch();

    await scene.time.advance(3 * ttl);

    expect(watch.latest).toHaveLength(1_000);
    expect(watch.snapshots).toHaveLength(1);
    expect(leases.filter(({ lost }) => lost.aborted)).toEqual([]);
  }),

  conformanceCase(
    7,
    'renewing a thousand instances of a service takes at most 100 requests within T',
    countingRequests,
    async (scene) => {
      const { harness } = scene;
      const { ttl } = harness;
      const { backend } = await scene.harness.createClient();
      await Promise.all(
        thousand.map((n) => backend.register({ ...scene.instance(1), id: `orders-${n}`, port: n }, { ttl })),
      );
      const before = await harness.requests();

      await scene.time.advance(ttl);

      expect((await harness.requests()) - before).toBeLessThanOrEqual(100);
      expect(await backend.getInstances('orders')).toHaveLength(1_000);
    },
  ),

  conformanceCase(
    27,
    'five hundred watches of a process leave its leases alone',
    registering,
    async (scene) => {
      const { ttl } = scene.harness;
      const client = await scene.harness.createClient();
      const lease = await client.backend.register(scene.instance(1), { ttl });
      const watch = await scene.watch();
      const services = Array.from({ length: 500 }, (_, index) => `orders-${index}`);
      await Promise.all(services.map((service) => scene.follow(service, client)));

      await scene.time.advance(3 * ttl);

      expect(lease.lost.aborted).toBe(false);
      expect(watch.snapshots).toHaveLength(1);
    },
  ),

  conformanceCase(
    28,
    'a hundred changes of other services do not wake a quiet watch, and cost it less than 10 KB',
    disturbing,
    async (scene) => {
      const client = await scene.harness.createRemoteClient();
      await scene.publish(scene.instance(1, 'quiet'));
      const view = await scene.follow('quiet', client);
      await view.shows(({ length }) => length === 1, scene.seenWithinMs);
      const [views, bytes] = [view.views.length, client.network.bytesToClient];

      for (let n = 1; n <= 100; n += 1) await scene.publish(scene.instance(n, `busy-${n % 10}`));
      await scene.settle();

      expect(view.views).toHaveLength(views);
      expect(client.network.bytesToClient - bytes).toBeLessThan(10_000);
    },
  ),

  conformanceCase(
    35,
    'a hundred providers whose store has lost its data come back spread over time',
    killing,
    async (scene) => {
      const { server, ttl } = scene.harness;
      const restoredAtMs: number[] = [];
      for (const n of hundred) {
        const registration = await scene.provide({ ...scene.instance(1), id: `orders-${n}`, port: n });
        const forget = registration.onStateChange(({ value }) => {
          if (value !== 'published') return;
          restoredAtMs.push(scene.time.monotonic());
          forget();
        });
      }

      await server.kill();
      await server.start({ keepData: false });

      // Here they share a process and its cores; what counts is that all come, and not together.
      await eventually(() => expect(restoredAtMs).toHaveLength(100), {
        timeoutMs: 5 * scene.restoredWithinMs(),
        time: scene.time,
      });
      const { backend } = await scene.harness.createClient();
      await eventually(async () => expect(await backend.getInstances('orders')).toHaveLength(100), {
        timeoutMs: scene.restoredWithinMs(),
        time: scene.time,
      });
      expect((restoredAtMs[90] ?? 0) - (restoredAtMs[10] ?? 0)).toBeGreaterThan(ttl / 20);
    },
  ),
];

const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
const thousand = Array.from({ length: 1_000 }, (_, index) => index + 1);
