import { execFile } from 'node:child_process';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import { expect } from 'vitest';
import { ClosedError } from '@sd/core';
import type { BackendClient } from '../backend-harness.ts';
import { any, registering, runningProgram } from '../capability.ts';
import { conformanceCase, type ConformanceCase } from '../conformance-case.ts';
import { eventually } from '../eventually.ts';
import { storeClockGrainMs } from '../scene.ts';
import type { TestTime } from '../test-time.ts';
import { WatchRecorder } from '../watch-recorder.ts';

/** How everything ends. */
export const closing: readonly ConformanceCase[] = [
  conformanceCase(32, 'a watch ends without an error when its signal aborts', any, async (scene) => {
    const watch = await scene.watch();

    watch.stop();
    await eventually(() => expect(watch.end).toEqual({}), {
      timeoutMs: scene.time.promptMs,
      time: scene.time,
    });
    await scene.publish(scene.instance(1));
    await scene.settle();

    expect(watch.snapshots).toHaveLength(1);
  }),

  conformanceCase(
    32,
    'each watch of a client is told, and goes on when another of the same service ends',
    any,
    async (scene) => {
      const { backend } = await scene.harness.createClient();
      const older = new WatchRecorder(backend, 'orders', scene.time);
      const newer = new WatchRecorder(backend, 'orders', scene.time);
      for (const watch of [older, newer]) await watch.next(() => true, { timeoutMs: scene.seenWithinMs });

      await scene.publish(scene.instance(1));
      for (const watch of [older, newer]) await scene.sees(watch, [scene.instance(1)]);
      newer.stop();
      await eventually(() => expect(newer.end).toEqual({}), { time: scene.time });
      await scene.publish(scene.instance(2));

      await scene.sees(older, [scene.instance(1), scene.instance(2)]);
      expect(older.end).toBeUndefined();
      older.stop();
    },
  ),

  conformanceCase(32, 'what is given an aborted signal rejects with its reason', any, async (scene) => {
    const { backend } = await scene.harness.createClient();
    const reason = new Error('changed my mind');
    const options = { signal: AbortSignal.abort(reason) };

    await expect(backend.getInstances('orders', options)).rejects.toBe(reason);
    await expect(backend.listServices(options)).rejects.toBe(reason);
    const watch = backend.watch('orders', options)[Symbol.asyncIterator]();
    await expect(watch.next()).resolves.toMatchObject({ done: true });
  }),

  conformanceCase(
    32,
    'registering with an aborted signal rejects with its reason and publishes nothing',
    registering,
    async (scene) => {
      const { backend } = await scene.harness.createClient();
      const reason = new Error('changed my mind');
      const options = { ttl: scene.harness.ttl, signal: AbortSignal.abort(reason) };

      await expect(backend.register(scene.instance(1), options)).rejects.toBe(reason);
      await scene.settle();

      expect(await backend.getInstances('orders')).toEqual([]);
    },
  ),

  conformanceCase(
    32,
    'close() ends watches with a ClosedError and refuses everything after it; twice is once',
    any,
    async (scene) => {
      const { backend } = await scene.harness.createClient();
      const watch = new WatchRecorder(backend, 'orders', scene.time);
      await watch.next(() => true, { timeoutMs: scene.seenWithinMs });

      await backend.close();
      await backend.close();

      await eventually(() => expect(watch.end?.error).toBeInstanceOf(ClosedError), {
        timeoutMs: scene.time.promptMs,
        time: scene.time,
      });
      await expect(backend.getInstances('orders')).rejects.toThrow(ClosedError);
      await expect(backend.listServices()).rejects.toThrow(ClosedError);
      const late = new WatchRecorder(backend, 'orders', scene.time);
      await eventually(() => expect(late.end?.error).toBeInstanceOf(ClosedError), {
        timeoutMs: scene.time.promptMs,
        time: scene.time,
      });
    },
  ),

  conformanceCase(
    32,
    'close() neither renews nor releases a lease, and what hangs on the client is refused',
    registering,
    async (scene) => {
      const { ttl } = scene.harness;
      const { backend } = await scene.harness.createClient();
      const startedAt = scene.time.monotonic();
      const lease = await backend.register(scene.instance(1), { ttl });
      const watch = await scene.watch();

      await backend.close();

      await expect(backend.register(scene.instance(2), { ttl })).rejects.toThrow(ClosedError);
      await expect(lease.update(scene.instance(1))).rejects.toThrow(ClosedError);
      await scene.time.advance(ttl);
      const gone = await watch.next(({ length }) => length === 0, { timeoutMs: scene.expiredWithinMs });
      expect(gone.atMs - startedAt).toBeGreaterThanOrEqual(ttl - storeClockGrainMs);
    },
  ),

  conformanceCase(32, 'a client has a name, and is closed when it is disposed of', any, async (scene) => {
    const { backend } = await scene.harness.createClient();
    expect(backend.name).toMatch(/\S/);

    await backend[Symbol.asyncDispose]();

    await expect(backend.getInstances('orders')).rejects.toThrow(ClosedError);
  }),

  conformanceCase(32, 'aborting and closing leave no timer and no socket', any, async (scene) => {
    await leavesNothing(scene, async (client) => {
      await client.backend.getInstances('orders');
      const timers = client.pendingTimers;
      const aborted = new WatchRecorder(client.backend, 'orders', scene.time);
      await aborted.next(() => true, { timeoutMs: scene.seenWithinMs });
      aborted.stop();
      await eventually(() => expect(aborted.end).toEqual({}), { time: scene.time });
      expect(client.pendingTimers).toBe(timers);

      const open = new WatchRecorder(client.backend, 'orders', scene.time);
      await open.next(() => true, { timeoutMs: scene.seenWithinMs });
    });
  }),

  conformanceCase(32, 'leases leave no timer and no socket', registering, async (scene) => {
    await leavesNothing(scene, async ({ backend }) => {
      const options = { ttl: scene.harness.ttl };
      const released = await backend.register(scene.instance(1), options);
      await backend.register(scene.instance(2), options);
      await released.release();
    });
  }),

  conformanceCase(
    32,
    'a program that has closed its backend exits by itself',
    runningProgram,
    async ({ harness }) => {
      await promisify(execFile)(process.execPath, [...harness.program], { timeout: 20_000 });
    },
  ),

  conformanceCase(
    33,
    'registering while the client closes is refused without a trace, or ends with the client',
    registering,
    async (scene) => {
      const { ttl } = scene.harness;
      const observer = (await scene.harness.createClient()).backend;
      const refused: string[] = [];
      for (const [n, turns] of [0, 1, 2, 5, 20, 100].entries()) {
        const { backend } = await scene.harness.createClient();
        const instance = scene.instance(n + 1);
        const outcome = backend.register(instance, { ttl }).then(
          () => undefined,
          (error: unknown) => ({ error }),
        );
        for (let turn = 0; turn < turns; turn += 1) await setImmediate();
        await backend.close();

        const refusal = await outcome;
        if (refusal === undefined) continue;
        expect(refusal.error).toBeInstanceOf(ClosedError);
        refused.push(instance.id);
      }
      await scene.settle();
      const left = (await observer.getInstances('orders')).map(({ id }) => id);
      expect(left.filter((id) => refused.includes(id))).toEqual([]);

      await scene.time.advance(ttl);
      await scene.settle();
      expect(await observer.getInstances('orders')).toEqual([]);
    },
  ),
];

/** Runs `use` with a client that is closed after it, and finds the process as it was before. */
async function leavesNothing<C extends BackendClient>(
  { harness, time }: { readonly harness: { createClient(): Promise<C> }; readonly time: TestTime },
  use: (client: C) => Promise<void>,
): Promise<void> {
  const before = resourceCounts();
  const client = await harness.createClient();
  await use(client);
  await client.backend.close();

  expect(client.pendingTimers ?? 0).toBe(0);
  await eventually(
    () => {
      for (const [resource, count] of resourceCounts()) {
        expect(count, resource).toBeLessThanOrEqual(before.get(resource) ?? 0);
      }
    },
    { time },
  );
}

/** What keeps this process alive, by type. */
function resourceCounts(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const type of process.getActiveResourcesInfo()) counts.set(type, (counts.get(type) ?? 0) + 1);
  return counts;
}
