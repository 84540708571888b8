import { expect } from 'vitest';
import { BackendUnavailableError } from '@sd/core';
import { any, disturbing, failingOver, killing } from '../capability.ts';
import { conformanceCase, type ConformanceCase } from '../conformance-case.ts';
import { eventually } from '../eventually.ts';
import { addresses } from '../scene.ts';

/** The store is killed, restarted, emptied, replaced. */
export const outages: readonly ConformanceCase[] = [
  conformanceCase(
    8,
    'a store that is killed and back with its data within T loses nothing: no view lacks anybody, and changes are seen',
    killing,
    async (scene) => {
      const { server, ttl } = scene.harness;
      const registration = await scene.provide(scene.instance(1));
      await scene.provide(scene.instance(2));
      const view = await scene.follow();
      await view.shows(({ length }) => length === 2, scene.seenWithinMs);
      const known = view.views.length;

      const killedAt = scene.time.monotonic();
      await server.kill();
      await server.start({ keepData: true });
      const withinT = scene.time.monotonic() - killedAt < ttl / 2;
      await view.shows(({ length }) => length === 2, scene.restoredWithinMs());
      await scene.time.advance(2 * ttl);
      await registration.update({ weight: 9 });

      await view.shows((instances) => instances.some(({ weight }) => weight === 9), scene.restoredWithinMs());
      // A store of many processes may need longer; then the registrations have run out, and the next case holds.
      expect(view.fewest(known)).toBeGreaterThanOrEqual(withinT ? 2 : 1);
    },
  ),

  conformanceCase(
    9,
    'a store that is back with its data after longer than T has all providers back, and views lacked no more than half',
    killing,
    async (scene) => {
      const { server, ttl } = scene.harness;
      const instances = [1, 2, 3, 4, 5].map((n) => scene.instance(n));
      for (const instance of instances) await scene.provide(instance);
      const view = await scene.follow();
      await view.shows(({ length }) => length === 5, scene.seenWithinMs);
      const known = view.views.length;

      await server.kill();
      await scene.time.advance(1.5 * ttl);
      await server.start({ keepData: true });

      const { backend } = await scene.harness.createClient();
      await eventually(
        async () => expect(addresses(await backend.getInstances('orders'))).toEqual(addresses(instances)),
        { timeoutMs: scene.restoredWithinMs(), time: scene.time },
      );
      await view.shows(({ length }) => length === 5, scene.restoredWithinMs());
      expect(view.fewest(known)).toBeGreaterThanOrEqual(instances.length / 2);
    },
  ),

  conformanceCase(
    10,
    'a store that is back without its data has all providers back, once, and views lacked no more than half',
    killing,
    async (scene) => {
      const { server, ttl } = scene.harness;
      const instances = [1, 2, 3, 4, 5].map((n) => scene.instance(n));
      for (const instance of instances) await scene.provide(instance);
      const view = await scene.follow();
      await view.shows(({ length }) => length === 5, scene.seenWithinMs);
      const known = view.views.length;

      await server.kill();
      await server.start({ keepData: false });

      const { backend } = await scene.harness.createClient();
      await eventually(
        async () => expect(addresses(await backend.getInstances('orders'))).toEqual(addresses(instances)),
        { timeoutMs: scene.restoredWithinMs(), time: scene.time },
      );
      await view.shows(({ length }) => length === 5, scene.restoredWithinMs());
      await scene.time.advance(2 * ttl);
      expect(addresses(await backend.getInstances('orders'))).toEqual(addresses(instances));
      expect(view.fewest(known)).toBeGreaterThanOrEqual(instances.length / 2);
    },
  ),

  conformanceCase(
    10,
    'a change after the data were lost is seen at once, whatever revision it has',
    killing,
    async (scene) => {
      const { server } = scene.harness;
      await scene.provide(scene.instance(1));
      const view = await scene.follow();
      await server.kill();
      await server.start({ keepData: false });
      await view.shows(({ length }) => length === 1, scene.restoredWithinMs());

      await scene.provide(scene.instance(2));

      await view.shows(({ length }) => length === 2, scene.seenWithinMs);
    },
  ),

  conformanceCase(
    11,
    'while the store is down lookups fail, views serve their last snapshot as stale, and it is tried until it is back',
    killing,
    async (scene) => {
      const { server, ttl } = scene.harness;
      await scene.provide(scene.instance(1));
      const client = await scene.harness.createClient();
      const view = await scene.follow('orders', client);
      await view.shows(({ length }) => length === 1, scene.seenWithinMs);

      await server.kill();
      await eventually(() => expect(view.view.state).toBe('stale'), {
        timeoutMs: scene.noticedWithinMs,
        time: scene.time,
      });
      await expect(client.backend.getInstances('orders')).rejects.toThrow(BackendUnavailableError);
      await expect(client.backend.listServices()).rejects.toThrow(BackendUnavailableError);
      await expect(client.backend.register(scene.instance(2), { ttl })).rejects.toThrow(
        BackendUnavailableError,
      );
      await scene.time.advance(4 * ttl);
      expect(view.view).toMatchObject({
        state: 'stale',
        error: expect.any(BackendUnavailableError) as unknown,
      });
      expect(addresses(view.view.instances)).toEqual(addresses([scene.instance(1)]));

      await server.start({ keepData: false });
      await view.shows(({ length }) => length === 1, scene.restoredWithinMs());
    },
  ),

  conformanceCase(
    11,
    'a store that is down is not hammered: at most 20 connections a second',
    disturbing,
    async (scene) => {
      const { ttl } = scene.harness;
      const client = await scene.harness.createRemoteClient();
      for (const n of [1, 2, 3]) await scene.provide(scene.instance(n), client);
      await scene.follow('orders', client);
      await client.network.set({ cutAfterBytes: 0 });
      client.network.reset();
      const before = client.network.accepted;

      await scene.time.advance(3 * ttl);

      const tries = client.network.accepted - before;
      expect(tries).toBeGreaterThan(0);
      expect(tries).toBeLessThanOrEqual(20 * ((3 * ttl) / 1_000));
    },
  ),

  conformanceCase(
    24,
    'a copy that takes over from the node that failed has all registrations back, and views lacked no more than half',
    failingOver,
    async (scene) => {
      const instances = [1, 2, 3].map((n) => scene.instance(n));
      const registrations = await Promise.all(instances.map((instance) => scene.provide(instance)));
      const view = await scene.follow();
      await view.shows(({ length }) => length === 3, scene.seenWithinMs);
      const known = view.views.length;

      await scene.harness.failOver();

      const { backend } = await scene.harness.createClient();
      await eventually(
        async () => expect(addresses(await backend.getInstances('orders'))).toEqual(addresses(instances)),
        { timeoutMs: 2 * scene.restoredWithinMs(), time: scene.time },
      );
      await registrations[0]?.update({ weight: 9 });
      await view.shows(
        (seen) => seen.length === 3 && seen.some(({ weight }) => weight === 9),
        scene.restoredWithinMs(),
      );
      expect(view.fewest(known)).toBeGreaterThanOrEqual(instances.length / 2);
    },
  ),

  conformanceCase(
    26,
    'a store that is empty right after an outage is doubted, and believed when it goes on denying',
    killing,
    async (scene) => {
      const { server, ttl } = scene.harness;
      const provider = await scene.harness.createClient();
      await provider.backend.register(scene.instance(1), { ttl });
      const view = await scene.follow();
      await view.shows(({ length }) => length === 1, scene.seenWithinMs);

      await provider.crash();
      await server.kill();
      await server.start({ keepData: false });
      await eventually(() => expect(view.view).toMatchObject({ state: 'live', held: 1 }), {
        timeoutMs: scene.restoredWithinMs(),
        time: scene.time,
      });

      await view.shows(({ length }) => length === 0, 5 * ttl + scene.expiredWithinMs);
    },
  ),

  conformanceCase(26, 'a true scale to zero is delivered at once', any, async (scene) => {
    for (const n of [1, 2, 3]) await scene.publish(scene.instance(n));
    const view = await scene.follow();
    await view.shows(({ length }) => length === 3, scene.seenWithinMs);

    for (const n of [1, 2, 3]) await scene.withdraw(scene.instance(n));

    await view.shows(({ length }) => length === 0, scene.seenWithinMs);
  }),
];
