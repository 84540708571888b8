import { expect } from 'vitest';
import { ConfigValidationError, sameInstance, type ServiceInstance } from '@sd/core';
import { any, registering } from '../capability.ts';
import { conformanceCase, type ConformanceCase } from '../conformance-case.ts';
import { eventually } from '../eventually.ts';
import { addresses } from '../scene.ts';

/** Publishing, changing and withdrawing while all goes well. */
export const publishing: readonly ConformanceCase[] = [
  conformanceCase(
    1,
    'a watch begins with the complete snapshot, which is empty for a service that has none',
    any,
    async (scene) => {
      const before = await scene.watch();
      expect(before.latest).toEqual([]);

      await scene.publish(scene.instance(1));
      await scene.publish(scene.instance(2));

      const after = await scene.watch();
      await scene.sees(after, [scene.instance(1), scene.instance(2)]);
      expect(after.snapshots).toHaveLength(1);
    },
  ),

  conformanceCase(
    1,
    'an instance that is published is seen: 99 of 100 within 250 ms where it is pushed',
    any,
    async (scene) => {
      const watch = await scene.watch();
      const tookMs: number[] = [];
      for (let n = 1; n <= (scene.harness.push ? 100 : 3); n += 1) {
        const startedAt = scene.time.monotonic();
        await scene.publish(scene.instance(n));
        const seen = await watch.next(({ length }) => length === n, {
          timeoutMs: scene.seenWithinMs + 5_000,
        });
        tookMs.push(seen.atMs - startedAt);
      }
      tookMs.sort((left, right) => left - right);
      expect(tookMs[Math.ceil(tookMs.length * 0.99) - 1]).toBeLessThanOrEqual(scene.seenWithinMs);
    },
  ),

  conformanceCase(1, 'a lookup and the list of services agree with the watch', any, async (scene) => {
    await scene.publish(scene.instance(1));
    await scene.publish(scene.instance(2, 'payments'));
    await scene.sees(await scene.watch(), [scene.instance(1)]);
    await scene.sees(await scene.watch('payments'), [scene.instance(2, 'payments')]);

    const { backend } = await scene.harness.createClient();
    expect(addresses(await backend.getInstances('orders'))).toEqual(addresses([scene.instance(1)]));
    expect(await backend.getInstances('nothing-here')).toEqual([]);
    expect([...(await backend.listServices())].sort()).toEqual(['orders', 'payments']);
  }),

  conformanceCase(
    1,
    'an instance is seen as it was published, to its last field',
    registering,
    async (scene) => {
      await scene.publish(scene.instance(1));
      const { backend } = await scene.harness.createClient();
      expect(await backend.getInstances('orders')).toEqual([scene.instance(1)]);
    },
  ),

  conformanceCase(1, 'a consumer that takes its time gets the newest snapshot', any, async (scene) => {
    const { backend } = await scene.harness.createClient();
    const stop = new AbortController();
    let goOn = (): void => undefined;
    const busy = new Promise<void>((resolve) => (goOn = resolve));
    let latest: readonly ServiceInstance[] | undefined;
    const reads = async (): Promise<void> => {
      for await (const instances of backend.watch('orders', { signal: stop.signal })) {
        latest = instances;
        await busy;
      }
    };
    let failure: unknown;
    void reads().catch((error: unknown) => (failure = error));
    try {
      await eventually(() => expect(latest).toEqual([]), { time: scene.time });
      for (const n of [1, 2, 3]) await scene.publish(scene.instance(n));
      await scene.settle();

      goOn();

      const expected = addresses([1, 2, 3].map((n) => scene.instance(n)));
      await eventually(() => expect(addresses(latest ?? [])).toEqual(expected), {
        timeoutMs: scene.seenWithinMs,
        time: scene.time,
      });
      expect(failure).toBeUndefined();
    } finally {
      goOn();
      stop.abort();
    }
  }),

  conformanceCase(1, 'what a watch or a lookup has given does not change afterwards', any, async (scene) => {
    await scene.publish(scene.instance(1));
    const watch = await scene.watch();
    await scene.sees(watch, [scene.instance(1)]);
    const { backend } = await scene.harness.createClient();
    const given = [
      ...watch.snapshots.map(({ instances }) => instances),
      await backend.getInstances('orders'),
    ];
    const asGiven = structuredClone(given);

    await scene.publish(scene.changed(scene.instance(1)));
    await scene.publish(scene.instance(2));
    await scene.sees(watch, [scene.instance(1), scene.instance(2)]);
    await backend.getInstances('orders');

    expect(given).toEqual(asGiven);
  }),

  conformanceCase(2, 'publishing the same once more tells no watcher', any, async (scene) => {
    await scene.publish(scene.instance(1));
    const watch = await scene.watch();
    await scene.sees(watch, [scene.instance(1)]);
    const known = watch.snapshots.length;

    await scene.publish(scene.instance(1));
    await scene.settle();

    expect(watch.snapshots).toHaveLength(known);
  }),

  conformanceCase(
    2,
    'registering the same from another process tells no watcher',
    registering,
    async (scene) => {
      await scene.publish(scene.instance(1));
      const watch = await scene.watch();

      const { backend } = await scene.harness.createClient();
      await backend.register(scene.instance(1), { ttl: scene.harness.ttl });
      await scene.settle();

      expect(watch.snapshots).toHaveLength(1);
    },
  ),

  conformanceCase(
    2,
    'an update that says the same tells no watcher, whatever its time stamp',
    registering,
    async (scene) => {
      const { backend } = await scene.harness.createClient();
      const lease = await backend.register(scene.instance(1), { ttl: scene.harness.ttl });
      const watch = await scene.watch();

      await lease.update({ ...scene.instance(1), updatedAt: scene.instance(1).updatedAt + 1_000 });
      await scene.settle();

      expect(watch.snapshots).toHaveLength(1);
    },
  ),

  conformanceCase(3, 'publishing a change is exactly one update', any, async (scene) => {
    await scene.publish(scene.instance(1));
    const watch = await scene.watch();
    await scene.sees(watch, [scene.instance(1)]);
    const known = watch.snapshots.length;
    const before = watch.latest?.[0];

    await scene.publish(scene.changed(scene.instance(1)));
    await watch.next(([after]) => !(before && after && sameInstance(before, after)), {
      timeoutMs: scene.seenWithinMs,
      from: known,
    });
    await scene.settle();

    expect(watch.snapshots).toHaveLength(known + 1);
    await scene.sees(watch, [scene.instance(1)]);
  }),

  conformanceCase(
    3,
    'Lease.update() is exactly one update, to its last field',
    registering,
    async (scene) => {
      const { backend } = await scene.harness.createClient();
      const lease = await backend.register(scene.instance(1), { ttl: scene.harness.ttl });
      const watch = await scene.watch();

      await lease.update(scene.changed(scene.instance(1)));
      await scene.settle();

      expect(watch.snapshots).toHaveLength(2);
      expect(watch.latest).toEqual([scene.changed(scene.instance(1))]);
      expect(lease.instance).toEqual(scene.changed(scene.instance(1)));
    },
  ),

  conformanceCase(
    3,
    'Lease.update() refuses another service and another id, which would be another registration',
    registering,
    async (scene) => {
      const { backend } = await scene.harness.createClient();
      const lease = await backend.register(scene.instance(1), { ttl: scene.harness.ttl });

      const { id } = scene.instance(2);
      for (const other of [{ id }, { service: 'payments' }]) {
        const update = lease.update({ ...scene.instance(1), ...other });
        await expect(update).rejects.toThrow(ConfigValidationError);
      }

      expect(await backend.listServices()).toEqual(['orders']);
      expect(addresses(await backend.getInstances('orders'))).toEqual(addresses([scene.instance(1)]));
    },
  ),

  conformanceCase(
    4,
    'an instance that is withdrawn is gone at once, and the others stay',
    any,
    async (scene) => {
      await scene.publish(scene.instance(1));
      await scene.publish(scene.instance(2));
      const watch = await scene.watch();

      await scene.withdraw(scene.instance(1));

      await scene.sees(watch, [scene.instance(2)]);
      const { backend } = await scene.harness.createClient();
      expect(addresses(await backend.getInstances('orders'))).toEqual(addresses([scene.instance(2)]));
    },
  ),

  conformanceCase(4, 'releasing a lease twice is one release, and no loss', registering, async (scene) => {
    const { backend } = await scene.harness.createClient();
    const lease = await backend.register(scene.instance(1), { ttl: scene.harness.ttl });
    const watch = await scene.watch();

    await lease.release();
    await lease.release();
    await scene.settle();

    expect(watch.latest).toEqual([]);
    expect(watch.snapshots).toHaveLength(2);
    expect(lease.lost.aborted).toBe(false);
  }),
];
