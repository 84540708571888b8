import { spawn } from 'node:child_process';
import { expect } from 'vitest';
import { killing, registering, runningProviders } from '../capability.ts';
import { conformanceCase, type ConformanceCase } from '../conformance-case.ts';
import { eventually } from '../eventually.ts';
import { addresses } from '../scene.ts';

/** Processes stand still, and clocks are wrong. */
export const pauses: readonly ConformanceCase[] = [
  conformanceCase(
    13,
    'a store that stood still for 2 T has its registrations back, once',
    killing,
    async (scene) => {
      const { server, ttl } = scene.harness;
      const instances = [1, 2, 3].map((n) => scene.instance(n));
      for (const instance of instances) await scene.provide(instance);
      const view = await scene.follow();
      await view.shows(({ length }) => length === 3, scene.seenWithinMs);
      const known = view.views.length;

      server.freeze();
      await scene.time.advance(2 * ttl);
      server.thaw();

      await view.shows(({ length }) => length === 3, scene.noticedWithinMs + scene.restoredWithinMs());
      await scene.time.advance(2 * ttl);
      const { backend } = await scene.harness.createClient();
      expect(addresses(await backend.getInstances('orders'))).toEqual(addresses(instances));
      expect(view.fewest(known)).toBeGreaterThanOrEqual(instances.length / 2);
    },
  ),

  conformanceCase(
    13,
    'a provider that stood still for 2 T is gone meanwhile, and back afterwards, once',
    runningProviders,
    async (scene) => {
      const { harness } = scene;
      const { ttl } = harness;
      const watch = await scene.watch();
      const provider = spawn(process.execPath, [...harness.providerProgram(scene.instance(1))], {
        stdio: ['ignore', 'ignore', 'inherit'],
      });
      try {
        await watch.next(({ length }) => length === 1, { timeoutMs: 15_000 });

        provider.kill('SIGSTOP');
        await watch.next(({ length }) => length === 0, { timeoutMs: ttl + scene.expiredWithinMs, from: 2 });
        await scene.time.advance(ttl);
        provider.kill('SIGCONT');

        await eventually(() => expect(watch.latest).toHaveLength(1), {
          timeoutMs: scene.restoredWithinMs(),
          time: scene.time,
        });
        await scene.time.advance(2 * ttl);
        expect(addresses(watch.latest ?? [])).toEqual(addresses([scene.instance(1)]));
      } finally {
        provider.kill('SIGKILL');
      }
    },
  ),

  ...[3_600_000, -3_600_000].map((clockOffsetMs) =>
    conformanceCase(
      34,
      `a provider whose clock is an hour ${clockOffsetMs > 0 ? 'fast' : 'slow'} expires neither early nor late`,
      registering,
      async (scene) => {
        const { ttl } = scene.harness;
        const watch = await scene.watch();
        const provider = await scene.harness.createClient({ clockOffsetMs });
        const lease = await provider.backend.register(scene.instance(1), { ttl });
        await scene.sees(watch, [scene.instance(1)]);

        await scene.time.advance(2 * ttl);
        expect(watch.latest).toHaveLength(1);
        expect(lease.lost.aborted).toBe(false);

        await provider.crash();
        await watch.next(({ length }) => length === 0, { timeoutMs: ttl + scene.expiredWithinMs, from: 2 });
      },
    ),
  ),
];
