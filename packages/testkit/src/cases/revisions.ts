import { expect } from 'vitest';
import {
  both,
  compacting,
  countingRequests,
  disturbing,
  losingRevisions,
  movingRevisions,
} from '../capability.ts';
import { conformanceCase, type ConformanceCase } from '../conformance-case.ts';
import { eventually } from '../eventually.ts';

/** The store counts changes, and the count is not what clients know. */
export const revisions: readonly ConformanceCase[] = [
  conformanceCase(
    16,
    'a consumer that was away while the history was compacted sees what changed',
    both(compacting, disturbing),
    async (scene) => {
      const client = await scene.harness.createRemoteClient();
      const registration = await scene.provide(scene.instance(1));
      const view = await scene.follow('orders', client);
      await client.network.set({ refuse: true });
      client.network.reset();
      await registration.update({ weight: 8 });
      await scene.harness.compact();
      await registration.update({ weight: 9 });
      await client.network.heal();

      await view.shows(
        ([instance]) => instance?.weight === 9,
        scene.noticedWithinMs + scene.restoredWithinMs(),
      );
    },
  ),

  ...(
    [
      [17, 'back', 'lower than'],
      [18, 'ahead', 'far above'],
    ] as const
  ).map(([number, where, words]) =>
    conformanceCase(
      number,
      `changes are seen when the revision is ${words} the last that was seen, and no view lacks anybody`,
      movingRevisions,
      async (scene) => {
        const registration = await scene.provide(scene.instance(1));
        const view = await scene.follow();
        await view.shows(({ length }) => length === 1, scene.seenWithinMs);
        const known = view.views.length;

        await scene.harness.moveRevision('orders', where);
        for (const weight of [7, 8, 9]) {
          await registration.update({ weight });
          await view.shows(([instance]) => instance?.weight === weight, scene.restoredWithinMs());
        }

        expect(view.fewest(known)).toBe(1);
      },
    ),
  ),

  conformanceCase(
    18,
    'a revision of the future that a view has seen does not deafen it to those of the present',
    movingRevisions,
    async (scene) => {
      const registration = await scene.provide(scene.instance(1));
      await scene.harness.moveRevision('orders', 'ahead');
      await registration.update({ weight: 8 });
      const view = await scene.follow();
      await view.shows(([instance]) => instance?.weight === 8, scene.restoredWithinMs());

      await scene.harness.moveRevision('orders', 'back');
      await registration.update({ weight: 9 });

      await view.shows(([instance]) => instance?.weight === 9, scene.restoredWithinMs());
    },
  ),

  conformanceCase(
    19,
    'a revision that is 0 or missing is no hot loop: at most 10 requests a second for each client, and all is well again',
    both(losingRevisions, countingRequests),
    async (scene) => {
      const { harness } = scene;
      await scene.provide(scene.instance(1));
      const view = await scene.follow();
      await view.shows(({ length }) => length === 1, scene.seenWithinMs);
      const known = view.views.length;

      const before = await harness.requests();
      await harness.loseRevision('orders');
      await scene.time.advance(2 * harness.ttl);
      const perSecond = ((await harness.requests()) - before) / ((2 * harness.ttl) / 1_000);

      expect(perSecond).toBeLessThanOrEqual(2 * 10);
      await view.shows(({ length }) => length === 1, scene.restoredWithinMs());
      await eventually(() => expect(view.view.error).toBeUndefined(), { time: scene.time });
      expect(view.fewest(known)).toBe(1);
    },
  ),
];
