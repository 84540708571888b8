import { describe, expect, it, onTestFinished } from 'vitest';
import { BackendUnavailableError, ManualClock } from '@sd/core';
import { eventually, WatchRecorder } from '@sd/testkit';
import type { DnsResolver } from '../src/index.ts';
import { hosts, openWith } from './open-backend.ts';

const record = { name: 'web-1.test', port: 8080, priority: 1, weight: 2 };
const errorOf = (code: string) => Object.assign(new Error(`queryA ${code}`), { code });

function resolverOf(methods: Partial<DnsResolver>): DnsResolver {
  return {
    resolveSrv: async () => [record],
    resolve4: async () => ['10.0.0.1'],
    resolve6: async () => [],
    ...methods,
  };
}

describe('a resolver of the user', () => {
  it('is asked as Node would be', async () => {
    const asked: unknown[] = [];
    const resolver = resolverOf({
      resolve4: async (...args) => {
        asked.push(args);
        return [{ address: '10.0.0.1', ttl: 5 }];
      },
    });
    expect(await openWith({ resolver }).getInstances('orders')).toMatchObject([
      { host: '10.0.0.1', port: 8080, priority: 1, weight: 2, metadata: { target: 'web-1.test' } },
    ]);
    expect(asked).toEqual([['web-1.test.', { ttl: true }]]);
  });

  it.each(['ENOTFOUND', 'ENODATA'])('that says %s says that there is nobody', async (code) => {
    const resolver = resolverOf({ resolveSrv: () => Promise.reject(errorOf(code)) });
    expect(await openWith({ resolver }).getInstances('orders')).toEqual([]);
  });

  it.each(['ESERVFAIL', 'ETIMEOUT', 'EREFUSED', 'ECONNREFUSED'])('that says %s has failed', async (code) => {
    const cause = errorOf(code);
    const resolver = resolverOf({ resolveSrv: () => Promise.reject(cause) });
    const failure = openWith({ resolver }).getInstances('orders');
    await expect(failure).rejects.toBeInstanceOf(BackendUnavailableError);
    await expect(failure).rejects.toMatchObject({ service: 'orders', cause });
  });

  it('that never answers has failed after the timeout', async () => {
    const resolver = resolverOf({ resolveSrv: () => new Promise(() => undefined) });
    const clock = new ManualClock();
    const failure = expect(openWith({ resolver, clock }).getInstances('orders')).rejects.toThrow(
      /within 3000 ms/,
    );
    await clock.advance(3_000);
    await failure;
    expect(clock.pendingTimers).toBe(0);
  });

  it.each([
    ['no array', {}],
    ['nothing', undefined],
  ])('that gives %s has failed', async (_, answer) => {
    const resolver = resolverOf({ resolveSrv: async () => answer as never });
    await expect(openWith({ resolver }).getInstances('orders')).rejects.toThrow(/gave no array/);
  });

  it('that gives nonsense among its records costs that record alone', async () => {
    const nonsense = [{}, null, { ...record, port: 'x' }, { ...record, weight: NaN, priority: -1, port: 81 }];
    const resolver = resolverOf({ resolveSrv: async () => [record, ...nonsense] as never });
    const backend = openWith({ resolver });
    const instances = await backend.getInstances('orders');
    expect(instances.map(({ port, weight, priority }) => [port, weight, priority])).toEqual([
      [8080, 2, 1],
      [81, 1, 0],
    ]);
    expect(backend.malformed.count).toBe(2);
  });

  it('that gives a weight which is none of DNS takes nothing from the others', async () => {
    const resolver = resolverOf({
      resolveSrv: async () => [record, { ...record, weight: Infinity, port: 81 }],
    });
    const instances = await openWith({ resolver }).getInstances('orders');
    expect(instances.map(({ port, weight }) => [port, weight])).toEqual([
      [8080, 2],
      [81, 0.01],
    ]);
  });

  it('that is null among its records costs nothing else', async () => {
    const resolver = resolverOf({ resolve4: async () => [null, '10.0.0.1', 'no address at all'] as never });
    expect(hosts(await openWith({ resolver }).getInstances('orders'))).toEqual(['10.0.0.1']);
  });

  it('that gives no TTL is asked ever more seldom, up to the longest interval', async () => {
    let asked = 0;
    const resolver = resolverOf({
      resolveSrv: async () => {
        asked += 1;
        return [record];
      },
    });
    const clock = new ManualClock();
    const backend = openWith({ resolver, clock, rng: () => 0, maxIntervalMs: 4_000 });
    const watch = new WatchRecorder(backend, 'orders');
    onTestFinished(() => watch.close());
    await eventually(() => expect(clock.pendingTimers).toBe(1));
    for (const pauseMs of [1_000, 2_000, 4_000, 4_000]) {
      const before = asked;
      await clock.advance(pauseMs - 1);
      expect(asked).toBe(before);
      await clock.advance(1);
      expect(asked).toBe(before + 1);
    }
  });
});
