import { expect } from 'vitest';
import { ConfigValidationError, type DiscoveryBackend } from '@sd/core';
import { any, registering, writingMalformed } from '../capability.ts';
import { conformanceCase, type ConformanceCase } from '../conformance-case.ts';
import { eventually } from '../eventually.ts';
import { addresses } from '../scene.ts';

/** What others wrote into the store, and names that mean something to it. */
export const untrustedInput: readonly ConformanceCase[] = [
  conformanceCase(
    29,
    'a malformed entry is skipped and counted once, and the others are served',
    writingMalformed,
    async (scene) => {
      await scene.publish(scene.instance(1));
      await scene.harness.writeMalformed('orders', 'broken');
      const { backend } = await scene.harness.createClient();

      await eventually(
        async () => {
          expect(addresses(await backend.getInstances('orders'))).toEqual(addresses([scene.instance(1)]));
          expect(backend.malformed.count).toBe(1);
        },
        { timeoutMs: scene.seenWithinMs, time: scene.time },
      );
      await backend.getInstances('orders');

      expect(backend.malformed.count).toBe(1);
      expect(backend.malformed.recent).toMatchObject([{ service: 'orders' }]);
    },
  ),

  conformanceCase(
    29,
    'a watch counts a malformed entry that comes later, and goes on',
    writingMalformed,
    async (scene) => {
      await scene.publish(scene.instance(1));
      const watch = await scene.watch();

      await scene.harness.writeMalformed('orders', 'broken');
      await scene.settle();
      await scene.publish(scene.instance(2));

      await scene.sees(watch, [scene.instance(1), scene.instance(2)]);
      expect(watch.end).toBeUndefined();
      expect(watch.backend.malformed.count).toBe(1);
    },
  ),

  conformanceCase(30, '`web` matches neither `web2` nor `web-2`, `web.2` or `we`', any, async (scene) => {
    const others = ['we', 'web-2', 'web.2', 'web2'];
    const watch = await scene.watch('web');
    for (const [n, service] of others.entries()) await scene.publish(scene.instance(n + 1, service));
    await scene.settle();

    const { backend } = await scene.harness.createClient();
    expect(await backend.getInstances('web')).toEqual([]);
    expect([...(await backend.listServices())].sort()).toEqual(others);
    expect(watch.snapshots).toHaveLength(1);

    await scene.publish(scene.instance(9, 'web'));
    await scene.sees(watch, [scene.instance(9, 'web')]);
    for (const [n, service] of others.entries()) {
      expect(addresses(await backend.getInstances(service))).toEqual(
        addresses([scene.instance(n + 1, service)]),
      );
    }
  }),

  conformanceCase(
    30,
    'a service name that `validateServiceName()` refuses is refused by every method that takes one',
    any,
    async (scene) => {
      const { backend } = await scene.harness.createClient();
      for (const name of refusedNames) {
        await expect(backend.getInstances(name)).rejects.toThrow(ConfigValidationError);
        await expect(firstSnapshot(backend, name)).rejects.toThrow(ConfigValidationError);
      }
      expect(await backend.listServices()).toEqual([]);
    },
  ),

  conformanceCase(
    30,
    'an instance that `createInstance()` refuses cannot be registered',
    registering,
    async (scene) => {
      const { backend } = await scene.harness.createClient();
      const options = { ttl: scene.harness.ttl };
      for (const service of refusedNames) {
        const instance = { ...scene.instance(1), service };
        await expect(backend.register(instance, options)).rejects.toThrow(ConfigValidationError);
      }
      for (const id of refusedIds) {
        const instance = { ...scene.instance(1), id };
        await expect(backend.register(instance, options)).rejects.toThrow(ConfigValidationError);
      }
      expect(await backend.listServices()).toEqual([]);
    },
  ),

  conformanceCase(
    30,
    'names that every JavaScript object knows are names like any other',
    any,
    async (scene) => {
      const { backend } = await scene.harness.createClient();
      for (const name of ['constructor', 'hasOwnProperty', 'toString', 'valueOf']) {
        expect(await backend.getInstances(name)).toEqual([]);
        expect(await firstSnapshot(backend, name)).toEqual([]);
      }
      await scene.publish(scene.instance(1, 'constructor'));
      await scene.sees(await scene.watch('constructor'), [scene.instance(1, 'constructor')]);
    },
  ),
];

const refusedNames = [
  '',
  ' ',
  '.',
  '..',
  '../x',
  'a/b',
  'a b',
  '*',
  'a*',
  'a?x=1',
  'a\0b',
  'a\nb',
  '{web}',
  '__proto__',
  'ä',
  'x'.repeat(200),
];

const refusedIds = ['', '../x', 'a/b', 'a b', '*', 'a\0b', 'a\nb', '{web}', 'ä', 'x'.repeat(300)];

async function firstSnapshot(backend: DiscoveryBackend, service: string): Promise<unknown> {
  const stop = new AbortController();
  try {
    for await (const instances of backend.watch(service, { signal: stop.signal })) return instances;
    return undefined;
  } finally {
    stop.abort();
  }
}
