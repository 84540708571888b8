import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { ClosedError, type Lease, type ServiceInstance } from '@sd/core';
import { conformanceCases } from '@sd/testkit';
import { memoryHarness, type Fault } from './memory-harness.ts';
import { overriding } from './overriding.ts';

describe('the conformance suite', () => {
  it('finds nothing in a backend that keeps the contract', async () => {
    expect(await failedCases(() => ({}))).toEqual([]);
  });

  it.each<[sentence: string, cases: readonly number[], fault: Fault]>([
    [
      'tells watchers of an identical registration',
      [2, 3],
      ({ backend }) => ({
        async register(instance, options) {
          const lease = await backend.register({ ...instance, weight: instance.weight + 1 }, options);
          await lease.update(instance);
          return lease;
        },
      }),
    ],
    [
      'forgets instances before their time',
      [5, 32],
      ({ backend }) => ({
        register: (instance, options) => backend.register(instance, { ...options, ttl: options.ttl / 2 }),
      }),
    ],
    [
      'does not tell watchers that the last instance is gone',
      [4, 6, 21, 26, 32, 34],
      ({ backend }) => ({
        async *watch(service, options) {
          let first = true;
          for await (const instances of backend.watch(service, options)) {
            if (first || instances.length > 0) yield instances;
            first = false;
          }
        },
      }),
    ],
    [
      'sees nothing after the first snapshot',
      [1, 3, 4, 5, 6, 21, 26, 29, 30, 32, 34],
      ({ backend }) => ({
        async *watch(service, options) {
          let first = true;
          for await (const instances of backend.watch(service, options)) {
            if (first) yield instances;
            first = false;
          }
        },
      }),
    ],
    [
      'does not notice that a lease is lost',
      [21],
      ({ backend }) => ({
        async register(instance, options) {
          const lease = await backend.register(instance, options);
          return overriding(lease, { lost: new AbortController().signal });
        },
      }),
    ],
    [
      "releases what is another's",
      [21],
      ({ backend, store }) => ({
        async register(instance, options) {
          const lease = await backend.register(instance, options);
          const release = async () => {
            await lease.release();
            store.delete(instance.service, instance.id);
          };
          return overriding(lease, { release });
        },
      }),
    ],
    ['loses the count of malformed entries', [29], () => ({ malformed: { count: 0, recent: [] } })],
    [
      'stumbles over a malformed entry',
      [29],
      ({ backend }) => ({
        async getInstances(service, options) {
          const instances = await backend.getInstances(service, options);
          if (backend.malformed.count > 0) throw new SyntaxError('Unexpected end of JSON input');
          return instances;
        },
      }),
    ],
    [
      'takes `web2` for `web`',
      [30],
      ({ backend }) => ({
        async getInstances(service, options) {
          const found: ServiceInstance[] = [...(await backend.getInstances(service, options))];
          for (const name of await backend.listServices()) {
            if (name !== service && name.startsWith(service))
              found.push(...(await backend.getInstances(name)));
          }
          return found;
        },
      }),
    ],
    [
      'looks up hostile names',
      [30],
      ({ backend }) => ({
        getInstances: (service, options) =>
          backend.getInstances(service.replaceAll(/^\W+|\W+$/g, '') || 'x', options),
      }),
    ],
    [
      'changes the list that it gave',
      [1],
      ({ backend }) => {
        const list: ServiceInstance[] = [];
        return {
          async getInstances(service, options) {
            list.splice(0, list.length, ...(await backend.getInstances(service, options)));
            return list;
          },
        };
      },
    ],
    [
      'tells nothing to a consumer that is busy',
      [1],
      ({ backend }) => ({
        async *watch(service, options) {
          let isTold = false;
          for await (const instances of backend.watch(service, options)) {
            if (isTold && instances.length === 3) continue;
            isTold = true;
            yield instances;
          }
        },
      }),
    ],
    [
      'tells the newest watch of a service alone',
      [32],
      ({ backend }) => {
        const newest = new Map<string, object>();
        return {
          async *watch(service, options) {
            const own = {};
            newest.set(service, own);
            for await (const instances of backend.watch(service, options)) {
              if (newest.get(service) === own) yield instances;
            }
          },
        };
      },
    ],
    [
      'ends what it watches with the first consumer that leaves',
      [32],
      ({ backend }) => {
        const left = new Set<string>();
        return {
          async *watch(service, options) {
            options.signal.addEventListener('abort', () => left.add(service));
            for await (const instances of backend.watch(service, options)) {
              if (!left.has(service)) yield instances;
            }
          },
        };
      },
    ],
    [
      'writes whatever it is told in the place of an instance',
      [3],
      ({ backend }) => ({
        async register(instance, options) {
          const lease = await backend.register(instance, options);
          const { service, id } = instance;
          return overriding(lease, { update: (changed) => lease.update({ ...changed, service, id }) });
        },
      }),
    ],
    [
      'releases when it is closed',
      [32],
      ({ backend }) => {
        const leases: Lease[] = [];
        return {
          async register(instance, options) {
            const lease = await backend.register(instance, options);
            leases.push(lease);
            return lease;
          },
          async close() {
            await Promise.all(leases.map((lease) => lease.release()));
            await backend.close();
          },
        };
      },
    ],
    ['is not disposed of', [32], () => ({ [Symbol.asyncDispose]: async () => undefined })],
    ['has no name', [32], () => ({ name: '' })],
    [
      'goes on watching after an abort',
      [32],
      ({ backend }) => ({
        watch: (service) => backend.watch(service, { signal: new AbortController().signal }),
      }),
    ],
    [
      'leaves a timer behind',
      [32],
      ({ backend, clock }) => ({
        async close() {
          await backend.close();
          clock.setTimer(() => undefined, 60_000);
        },
      }),
    ],
    ['works on after close()', [32, 33], () => ({ close: async () => undefined })],
    [
      'leaves an orphan when it is closed while it registers',
      [32, 33],
      ({ backend, store }) => ({
        async register(instance, options) {
          try {
            return await backend.register(instance, options);
          } catch (error) {
            if (error instanceof ClosedError) store.write(instance.service, instance.id, instance);
            throw error;
          }
        },
      }),
    ],
  ])('finds a backend that %s', async (_, cases, fault) => {
    expect(await failedCases(fault)).toEqual(cases);
  });
});

it('is listed in the README, case by case', async () => {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const rows = conformanceCases.map(({ number, title, needs }) => [`${number}`, title, needs]);
  const listed = Array.from(readme.matchAll(/^\| +(\d+) +\| (.+?) +\| (.+?) +\|$/gm), ([, ...row]) => row);
  expect(listed).toEqual(rows);
});

/** The numbers of the cases that a backend with this fault does not pass. */
async function failedCases(fault: Fault): Promise<readonly number[]> {
  const failed = new Set<number>();
  for (const conformanceCase of conformanceCases) {
    const harness = await memoryHarness(fault);
    if (!conformanceCase.applies(harness) || conformanceCase.needs === 'a program') continue; // it would not have the fault
    await conformanceCase.run(harness).catch(() => failed.add(conformanceCase.number));
    await harness.dispose();
  }
  return [...failed].sort((left, right) => left - right);
}
