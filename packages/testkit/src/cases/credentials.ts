import { expect } from 'vitest';
import { AccessDeniedError } from '@sd/core';
import { both, countingRequests, denying } from '../capability.ts';
import { conformanceCase, type ConformanceCase } from '../conformance-case.ts';
import { eventually } from '../eventually.ts';

/** The store refuses a client. */
export const credentials: readonly ConformanceCase[] = [
  conformanceCase(
    31,
    'what is refused is told as denied, and comes back when it is allowed',
    denying,
    async (scene) => {
      const { access, ttl } = scene.harness;
      const registration = await scene.provide(scene.instance(1));
      const client = await scene.harness.createClient();
      const view = await scene.follow('orders', client);
      await view.shows(({ length }) => length === 1, scene.seenWithinMs);

      await access.deny();
      await expect(client.backend.getInstances('orders')).rejects.toThrow(AccessDeniedError);
      await expect(client.backend.listServices()).rejects.toThrow(AccessDeniedError);
      await expect(client.backend.register(scene.instance(2), { ttl })).rejects.toThrow(AccessDeniedError);
      await eventually(() => expect(view.view.error).toBeInstanceOf(AccessDeniedError), {
        timeoutMs: scene.noticedWithinMs,
        time: scene.time,
      });
      expect(view.ids).toEqual([scene.instance(1).id]);
      await scene.time.advance(2 * ttl);
      await access.allow();

      await view.shows(({ length }) => length === 1, 2 * scene.restoredWithinMs());
      await eventually(() => expect(registration.state.value).toBe('published'), {
        timeoutMs: scene.restoredWithinMs(),
        time: scene.time,
      });
    },
  ),

  conformanceCase(
    31,
    'a store that refuses is not hammered: at most 20 requests a second for a provider and a consumer',
    both(denying, countingRequests),
    async (scene) => {
      const { harness } = scene;
      const { access, ttl } = harness;
      await scene.provide(scene.instance(1));
      await scene.follow();
      await access.deny();
      const before = await harness.requests();

      await scene.time.advance(3 * ttl);

      expect(((await harness.requests()) - before) / ((3 * ttl) / 1_000)).toBeLessThanOrEqual(20);
    },
  ),
];
