import { expect } from 'vitest';
import { LeaseLostError } from '@sd/core';
import { deletingAsStranger, forgettingLeases, registering } from '../capability.ts';
import { conformanceCase, type ConformanceCase } from '../conformance-case.ts';
import { eventually } from '../eventually.ts';
import { addresses, storeClockGrainMs } from '../scene.ts';

/** What keeps an instance published, and what ends that. */
export const leases: readonly ConformanceCase[] = [
  conformanceCase(
    5,
    'an instance stays for as long as its provider lives, and no watcher sees it flicker',
    registering,
    async (scene) => {
      const { backend } = await scene.harness.createClient();
      const lease = await backend.register(scene.instance(1), { ttl: scene.harness.ttl });
      const watch = await scene.watch();

      await scene.time.advance(3 * scene.harness.ttl);

      expect(addresses(watch.latest ?? [])).toEqual(addresses([scene.instance(1)]));
      expect(watch.snapshots).toHaveLength(1);
      expect(lease.lost.aborted).toBe(false);
    },
  ),

  conformanceCase(
    5,
    'an instance whose provider crashes is gone by T + P, never before T, and the others stay',
    registering,
    async (scene) => {
      const { ttl } = scene.harness;
      await scene.publish(scene.instance(1));
      const watch = await scene.watch();
      const provider = await scene.harness.createClient();
      const startedAt = scene.time.monotonic();
      await provider.backend.register(scene.instance(2), { ttl });
      await provider.crash();
      await scene.sees(watch, [scene.instance(1), scene.instance(2)]);

      const gone = await watch.next(({ length }) => length < 2, {
        timeoutMs: ttl + scene.expiredWithinMs,
        from: watch.snapshots.length,
      });

      expect(addresses(gone.instances)).toEqual(addresses([scene.instance(1)]));
      expect(gone.atMs - startedAt).toBeGreaterThanOrEqual(ttl - storeClockGrainMs);
    },
  ),

  conformanceCase(6, 'watchers are told when the last instance crashes', registering, async (scene) => {
    const provider = await scene.harness.createClient();
    await provider.backend.register(scene.instance(1), { ttl: scene.harness.ttl });
    const watch = await scene.watch();
    await scene.sees(watch, [scene.instance(1)]);

    await provider.crash();

    await watch.next(({ length }) => length === 0, {
      timeoutMs: scene.harness.ttl + scene.expiredWithinMs,
      from: 1,
    });
    const { backend } = await scene.harness.createClient();
    expect(await backend.getInstances('orders')).toEqual([]);
    expect(await backend.listServices()).toEqual([]);
  }),

  conformanceCase(
    21,
    'the provider of an instance that a stranger deleted learns of it within T',
    deletingAsStranger,
    async (scene) => {
      const { backend } = await scene.harness.createClient();
      const lease = await backend.register(scene.instance(1), { ttl: scene.harness.ttl });

      await scene.harness.deleteAsStranger('orders', scene.instance(1).id);

      await eventually(() => expect(lease.lost.aborted).toBe(true), {
        timeoutMs: scene.harness.ttl,
        time: scene.time,
      });
      expect(lease.lost.reason).toBeInstanceOf(LeaseLostError);
      expect(lease.lost.reason).toMatchObject({ service: 'orders', instanceId: scene.instance(1).id });
      await expect(lease.update(scene.instance(1))).rejects.toBe(lease.lost.reason);
      await expect(lease.release()).resolves.toBeUndefined();
    },
  ),

  conformanceCase(
    21,
    'registering again after that restores the instance, once, and keeps it',
    deletingAsStranger,
    async (scene) => {
      const { ttl } = scene.harness;
      const { backend } = await scene.harness.createClient();
      const lost = await backend.register(scene.instance(1), { ttl });
      const watch = await scene.watch();
      await scene.harness.deleteAsStranger('orders', scene.instance(1).id);
      await eventually(() => expect(lost.lost.aborted).toBe(true), { timeoutMs: ttl, time: scene.time });

      const restored = await backend.register(scene.instance(1), { ttl });
      await lost.release();
      await scene.sees(watch, [scene.instance(1)]);
      await scene.time.advance(2 * ttl);

      expect(addresses(watch.latest ?? [])).toEqual(addresses([scene.instance(1)]));
      expect(restored.lost.aborted).toBe(false);
    },
  ),

  conformanceCase(
    21,
    'a lease whose instance another process registers is lost as replaced, and no longer touches it',
    registering,
    async (scene) => {
      const { ttl } = scene.harness;
      const { backend } = await scene.harness.createClient();
      const old = await backend.register(scene.instance(1), { ttl });
      const watch = await scene.watch();

      const successor = await scene.harness.createClient();
      const lease = await successor.backend.register(scene.changed(scene.instance(1)), { ttl });
      await eventually(() => expect(old.lost.reason).toMatchObject({ reason: 'replaced' }), {
        timeoutMs: ttl,
        time: scene.time,
      });
      await old.release();
      await expect(old.update(scene.instance(1))).rejects.toBe(old.lost.reason);
      await scene.time.advance(2 * ttl);

      expect(watch.latest).toEqual([scene.changed(scene.instance(1))]);
      expect(lease.lost.aborted).toBe(false);

      await successor.crash();
      await watch.next(({ length }) => length === 0, { timeoutMs: ttl + scene.expiredWithinMs, from: 2 });
    },
  ),

  conformanceCase(
    21,
    'a provider restores what a stranger deleted within T, once',
    deletingAsStranger,
    async (scene) => {
      const { ttl } = scene.harness;
      const registration = await scene.provide(scene.instance(1));
      const losses: unknown[] = [];
      registration.onStateChange((state) => state.value === 'lost' && losses.push(state.error));
      const { backend } = await scene.harness.createClient();

      await scene.harness.deleteAsStranger('orders', scene.instance(1).id);
      await eventually(() => expect(losses).toHaveLength(1), { timeoutMs: ttl, time: scene.time });

      await eventually(
        async () =>
          expect(addresses(await backend.getInstances('orders'))).toEqual(addresses([scene.instance(1)])),
        { timeoutMs: ttl, time: scene.time },
      );
      await scene.time.advance(2 * ttl);
      expect(losses).toHaveLength(1);
      expect(registration.state.value).toBe('published');
    },
  ),

  conformanceCase(
    22,
    'a lease that the store no longer knows is granted anew, once',
    forgettingLeases,
    async (scene) => {
      const { ttl } = scene.harness;
      const registration = await scene.provide(scene.instance(1));
      const states: string[] = [];
      registration.onStateChange(({ value }) => states.push(value));

      await scene.harness.forgetLease('orders', scene.instance(1).id);
      await eventually(() => expect(states).toEqual(['lost', 'published']), {
        timeoutMs: scene.restoredWithinMs(),
        time: scene.time,
      });
      await scene.time.advance(2 * ttl);

      const { backend } = await scene.harness.createClient();
      expect(addresses(await backend.getInstances('orders'))).toEqual(addresses([scene.instance(1)]));
      expect(states).toEqual(['lost', 'published']);
    },
  ),

  conformanceCase(
    23,
    'a process that comes back takes over what its former life left, which does not expire with that',
    registering,
    async (scene) => {
      const { ttl } = scene.harness;
      const former = await scene.harness.createClient();
      await former.backend.register(scene.instance(1), { ttl });
      await former.crash();
      const watch = await scene.watch();

      const registration = await scene.provide(scene.instance(1));
      await scene.time.advance(2 * ttl);

      expect(watch.snapshots.every(({ instances }) => instances.length === 1)).toBe(true);
      expect(registration.state.value).toBe('published');
    },
  ),
];
