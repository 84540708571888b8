import { expect } from 'vitest';
import { BackendUnavailableError } from '@sd/core';
import { disconnecting, disturbing, losingPushes } from '../capability.ts';
import { conformanceCase, type ConformanceCase } from '../conformance-case.ts';
import { eventually } from '../eventually.ts';
import { addresses } from '../scene.ts';

/** What lies between clients and the store fails, while the store itself is well. */
export const network: readonly ConformanceCase[] = [
  ...(['both', 'to-client'] as const).map((blackHole) =>
    conformanceCase(
      12,
      `a consumer behind a black hole (${blackHole}) notices, its lookups reject, and it sees afterwards what changed`,
      disturbing,
      async (scene) => {
        const provider = await scene.provide(scene.instance(1));
        const client = await scene.harness.createRemoteClient();
        const view = await scene.follow('orders', client);
        await view.shows(({ length }) => length === 1, scene.seenWithinMs);

        await client.network.set({ blackHole });
        await expect(client.backend.getInstances('orders')).rejects.toThrow(BackendUnavailableError);
        await eventually(() => expect(view.view.state).toBe('stale'), {
          timeoutMs: scene.noticedWithinMs,
          time: scene.time,
        });
        await provider.update({ weight: 9 });
        await client.network.heal();

        await view.shows(
          ([instance]) => instance?.weight === 9,
          scene.noticedWithinMs + scene.restoredWithinMs(),
        );
      },
    ),
  ),

  ...(['both', 'to-client'] as const).map((blackHole) =>
    conformanceCase(
      12,
      `a provider behind a black hole (${blackHole}) for longer than T is back afterwards, once`,
      disturbing,
      async (scene) => {
        const { ttl } = scene.harness;
        const client = await scene.harness.createRemoteClient();
        const registration = await scene.provide(scene.instance(1), client);
        const watch = await scene.watch();

        await client.network.set({ blackHole });
        await scene.time.advance(2 * ttl);
        await client.network.heal();

        await eventually(
          () => {
            expect(registration.state.value).toBe('published');
            expect(addresses(watch.latest ?? [])).toEqual(addresses([scene.instance(1)]));
          },
          { timeoutMs: scene.noticedWithinMs + scene.restoredWithinMs(), time: scene.time },
        );
        await scene.time.advance(2 * ttl);
        expect(addresses(watch.latest ?? [])).toEqual(addresses([scene.instance(1)]));
        expect(registration.state.value).toBe('published');
      },
    ),
  ),

  conformanceCase(
    14,
    'connections that are reset while changes come lose none of them, and no view doubles or lacks anybody',
    disturbing,
    async (scene) => {
      const provider = await scene.harness.createRemoteClient();
      const consumer = await scene.harness.createRemoteClient();
      const stable = await scene.provide(scene.instance(1), provider);
      const changing = await scene.provide(scene.instance(2), provider);
      const view = await scene.follow('orders', consumer);
      await view.shows(({ length }) => length === 2, scene.seenWithinMs);
      const known = view.views.length;

      for (let weight = 1; weight <= 30; weight += 1) {
        if (weight % 10 === 4) consumer.network.reset();
        if (weight % 10 === 8) provider.network.reset();
        await changing.update({ weight: 100 + weight });
      }

      await view.shows(
        (instances) => instances.some(({ weight }) => weight === 130),
        scene.restoredWithinMs(),
      );
      for (const { instances } of view.views.slice(known))
        expect(instances.map(({ id }) => id)).toEqual([stable.instance.id, changing.instance.id]);
    },
  ),

  conformanceCase(
    15,
    'what comes, changes and goes while a consumer is cut off is seen when it is back',
    disturbing,
    async (scene) => {
      const client = await scene.harness.createRemoteClient();
      const leaving = await scene.provide(scene.instance(1));
      const changing = await scene.provide(scene.instance(2));
      const view = await scene.follow('orders', client);
      await view.shows(({ length }) => length === 2, scene.seenWithinMs);

      await client.network.set({ refuse: true });
      client.network.reset();
      await eventually(() => expect(view.view.state).toBe('stale'), {
        timeoutMs: scene.noticedWithinMs,
        time: scene.time,
      });
      await leaving.deregister();
      await changing.update({ weight: 9 });
      await scene.provide(scene.instance(3));
      await client.network.heal();

      const expected = addresses([scene.instance(2), scene.instance(3)]);
      await view.shows(
        (instances) =>
          addresses(instances).join() === expected.join() && instances.some(({ weight }) => weight === 9),
        scene.restoredWithinMs(),
      );
    },
  ),

  conformanceCase(
    20,
    'a store that closes all connections at once has all watches and leases back, over few new ones',
    disconnecting,
    async (scene) => {
      const { harness } = scene;
      const remote = await harness.createRemoteClient?.();
      const client = remote ?? (await harness.createClient());
      const services = Array.from({ length: 100 }, (_, index) => `orders-${index}`);
      const registration = await scene.provide(scene.instance(1, 'orders-7'), client);
      const views = await Promise.all(services.map((service) => scene.follow(service, client)));
      const before = remote?.network.accepted ?? 0;

      await harness.disconnectAll();
      await Promise.all(
        views.map((view) =>
          eventually(() => expect(view.views.some(({ state }) => state === 'stale')).toBe(true), {
            time: scene.time,
          }),
        ),
      );

      await Promise.all(views.map((view) => view.shows(() => true, scene.restoredWithinMs())));
      await scene.time.advance(harness.ttl);
      expect(registration.state.value).toBe('published');
      expect((remote?.network.accepted ?? 0) - before).toBeLessThanOrEqual(10);
      await scene.provide(scene.instance(1, 'orders-42'), client);
      await views[42]?.shows(({ length }) => length === 1, scene.seenWithinMs);
    },
  ),

  conformanceCase(
    25,
    'a change that nobody was told of is seen with the next one',
    losingPushes,
    async (scene) => {
      const { harness } = scene;
      await scene.publish(scene.instance(1));
      const view = await scene.follow();
      await view.shows(({ length }) => length === 1, scene.seenWithinMs);

      await harness.losePush(scene.changed(scene.instance(1)));
      await scene.publish(scene.instance(2));

      await view.shows(
        (instances) =>
          instances.length === 2 && instances.some(({ metadata }) => metadata['revision'] === '2'),
        scene.restoredWithinMs(),
      );
    },
  ),

  conformanceCase(
    25,
    'a change that nobody was told of is seen by P, also when no other follows',
    losingPushes,
    async (scene) => {
      const { harness } = scene;
      await scene.publish(scene.instance(1));
      const view = await scene.follow();
      await view.shows(({ length }) => length === 1, scene.seenWithinMs);

      await harness.losePush(scene.changed(scene.instance(1)));

      await view.shows(([instance]) => instance?.metadata['revision'] === '2', scene.expiredWithinMs);
    },
  ),
];
