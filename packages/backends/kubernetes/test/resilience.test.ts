import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { AccessDeniedError, BackendUnavailableError, ManualClock, sleep, systemClock } from '@sd/core';
import { eventually, FaultProxy } from '@sd/testkit';
import { KubernetesServer, type KubernetesApi } from '../../../../tools/servers/index.ts';
import type { KubernetesBackend } from '../src/index.ts';
import { SliceStore } from '../src/slice-store.ts';
import { endpoint, hosts, openApi, openBackend, openView, openWatch, reader, slice } from './open-backend.ts';

const soon = { timeoutMs: 5_000 };
const passing = (ms: number): Promise<void> => sleep(systemClock, ms, { keepAlive: true });

const counts = (api: KubernetesApi, verb: string): number =>
  api.requests.filter((request) => request.verb === verb && request.query.get('limit') !== '1').length;

describe('one watch', () => {
  it('serves all services of a process, begins with the first and ends with the last', async () => {
    const api = await openApi();
    const backend = openBackend({ url: api.url, ...reader });
    const services = Array.from({ length: 50 }, (_, index) => `web-${index}`);
    const watches = await Promise.all(services.map((service) => openWatch(backend, service)));
    const late = await openWatch(backend, 'late');
    await eventually(() => expect(api.watches).toBe(1));

    api.apply('demo', slice(1, { service: 'web-7' }));
    api.apply('demo', slice(1, { service: 'late' }));
    await late.next(({ length }) => length === 2, soon);
    await watches[7]?.next(({ length }) => length === 2, soon);

    expect(counts(api, 'list')).toBe(1);
    expect(counts(api, 'watch')).toBe(1);
    expect(watches[8]?.snapshots).toHaveLength(1);
    for (const watch of [...watches, late]) watch.stop();
    await eventually(() => expect(api.watches).toBe(0));
  });

  it('of all namespaces serves names with and without one', async () => {
    const api = await openApi();
    api.apply('demo', slice(1));
    api.apply('shop', slice(2));
    const backend = openBackend({ url: api.url, ...reader, allNamespaces: true });
    expect([...(await backend.listServices())].sort()).toEqual(['web.demo', 'web.shop']);
    expect(hosts(await backend.getInstances('web'))).toEqual(['10.1.1.1', '10.1.1.2']);
    const watches = await Promise.all(
      ['web', 'web.demo', 'web.shop'].map((name) => openWatch(backend, name)),
    );

    api.apply('demo', slice(1, { endpoints: 1 }));
    api.apply('shop', slice(2, { endpoints: 1 }));

    for (const watch of watches) await watch.next(({ length }) => length === 1, soon);
    expect(watches.map(({ latest = [] }) => [latest[0]?.service, latest[0]?.host])).toEqual([
      ['web', '10.1.1.1'],
      ['web.demo', '10.1.1.1'],
      ['web.shop', '10.1.2.1'],
    ]);
    expect(counts(api, 'watch')).toBe(1);
  });

  it('is narrowed by a selector', async () => {
    const api = await openApi();
    const labels = { 'kubernetes.io/service-name': 'web', track: 'canary' };
    api.apply('demo', slice(1));
    api.apply('demo', { ...slice(2), metadata: { name: 'web-2', labels } } as never);
    const backend = openBackend({ url: api.url, ...reader, labelSelector: 'track in (canary,beta)' });
    const watch = await openWatch(backend);
    expect(hosts(watch.latest ?? [])).toEqual(['10.1.2.1', '10.1.2.2']);
    expect(hosts(await backend.getInstances('web'))).toEqual(['10.1.2.1', '10.1.2.2']);
  });

  it('follows an endpoint from ready over terminating to gone', async () => {
    const api = await openApi();
    const backend = openBackend({ url: api.url, ...reader });
    const watch = await openWatch(backend);
    const states = [
      [{ ready: false, serving: false }, 'unhealthy'],
      [{ ready: true, serving: true }, 'healthy'],
      [{ ready: false, serving: true, terminating: true }, 'draining'],
    ] as const;
    for (const [conditions, status] of states) {
      api.apply('demo', { ...slice(1), endpoints: [{ ...endpoint(1, 1), conditions }] } as never);
      await eventually(() => expect(watch.latest?.map((each) => each.status)).toEqual([status]));
    }
    api.delete('demo', 'web-1');
    await eventually(() => expect(watch.latest).toEqual([]));
  });
});

describe('a watch that ends', () => {
  it('because its time is over goes on where it was, and nobody notices', async () => {
    const api = await openApi();
    api.apply('demo', slice(1));
    const view = await openView(openBackend({ url: api.url, ...reader }));
    await eventually(() => expect(api.watches).toBe(1));
    const version = String(api.store.revision);

    api.endWatches();
    api.apply('demo', slice(2));

    await view.shows(({ length }) => length === 4, 5_000);
    expect(view.views.some(({ state }) => state === 'stale')).toBe(false);
    expect(counts(api, 'list')).toBe(1);
    const again = api.requests.filter(({ verb }) => verb === 'watch').at(-1);
    expect(again?.query.get('resourceVersion')).toBe(version);
  });

  it('in the middle of an event goes on where it was: nothing is lost or doubled', async () => {
    const api = await openApi();
    const view = await openView(openBackend({ url: api.url, ...reader, rng: () => 0.1 }));
    for (let n = 1; n <= 10; n += 1) {
      await eventually(() => expect(api.watches).toBe(1));
      api.apply('demo', slice(n));
      api.cutWatches('{"type":"MODIFIED","object":{"kind":"EndpointSlice"}}\n');
      await view.shows(({ length }) => length === 2 * n, 5_000);
    }
    expect(view.views.some(({ state }) => state === 'stale')).toBe(false);
    expect(counts(api, 'list')).toBe(1);
  });

  it('again and again as soon as it begins is taken up a few times a second, and then given up', async () => {
    const api = await openApi();
    api.faults = { endingWatches: true };
    const watch = await openWatch(openBackend({ url: api.url, ...reader, rng: () => 0.5 }));
    await passing(2_000);
    expect(counts(api, 'watch')).toBeLessThanOrEqual(8);

    await eventually(() => expect(watch.end?.error).toBeInstanceOf(BackendUnavailableError), {
      timeoutMs: 10_000,
    });
    expect(counts(api, 'watch')).toBe(8);
  });

  it('because its history is gone lists again, and tells the difference alone', async () => {
    const api = await openApi();
    api.apply('demo', slice(1));
    const backend = openBackend({ url: api.url, ...reader });
    const [web, other] = await Promise.all([openWatch(backend), openWatch(backend, 'other')]);
    await eventually(() => expect(api.watches).toBe(1));

    api.tell('{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old resource version"}}\n');
    api.apply('demo', slice(1, { service: 'other' }));
    await other.next(({ length }) => length === 2, soon);

    expect(web.snapshots).toHaveLength(1);
    expect(other.snapshots).toHaveLength(2);
    expect(counts(api, 'list')).toBe(2);
  });

  it('is not taken up when nobody watches any more by the time that the server has shown its revision', async () => {
    const api = await openApi();
    const watch = await openWatch(openBackend({ url: api.url, ...reader }));
    await eventually(() => expect(api.watches).toBe(1));
    const stop = vi.spyOn(SliceStore.prototype, 'knowsNoneOf').mockImplementation(() => {
      watch.stop();
      return false;
    });
    onTestFinished(() => stop.mockRestore());

    api.endWatches();
    await eventually(() => expect(stop).toHaveBeenCalled(), soon);

    await passing(100);
    expect(counts(api, 'watch')).toBe(1);
  });

  it('with another error than that fails', async () => {
    const api = await openApi();
    const watch = await openWatch(openBackend({ url: api.url, ...reader }));
    await eventually(() => expect(api.watches).toBe(1));
    api.tell('{"type":"ERROR","object":{"code":500,"message":"etcdserver: no leader"}}\n');
    await eventually(() => expect(String(watch.end?.error)).toMatch(/no leader/));
  });

  it.each([
    ['that is no JSON', '{"type":'],
    ['that is nothing known', '{"type":"NEWS"}'],
    ['without an object', '{"type":"ADDED"}'],
  ])('with a line %s lists again, as something may have been missed', async (_, line) => {
    const api = await openApi();
    const watch = await openWatch(openBackend({ url: api.url, ...reader }));
    await eventually(() => expect(api.watches).toBe(1));
    api.tell(`${line}\n`);
    await eventually(() => expect(counts(api, 'list')).toBe(2));
    api.apply('demo', slice(1));
    await watch.next(({ length }) => length === 2, soon);
  });
});

describe('revisions', () => {
  it(
    'that went back end the watches; a view holds what it has, and has the rest when it is back',
    { timeout: 20_000 },
    async () => {
      const api = await openApi();
      for (let n = 1; n <= 5; n += 1) api.apply('demo', slice(n));
      const view = await openView(openBackend({ url: api.url, ...reader }));
      const known = view.views.length;
      await eventually(() => expect(api.watches).toBe(1));

      api.store.restore();
      api.cutWatches();
      await eventually(() => {
        expect(view.views.map(({ error }) => String(error)).join()).toMatch(
          /gone back from revision 205 to 200/,
        );
      }, soon);
      for (let n = 1; n <= 5; n += 1) api.apply('demo', slice(n));
      api.apply('demo', slice(6));

      await view.shows(({ length }) => length === 12, 10_000);
      expect(view.fewest(known)).toBe(10);
    },
  );

  it(
    'of a store that has lost its data and is beyond ours by now are no reason to go on: the view verifies what there is',
    { timeout: 20_000 },
    async () => {
      const api = await openApi();
      for (let n = 1; n <= 5; n += 1) api.apply('demo', slice(n));
      const view = await openView(openBackend({ url: api.url, ...reader }));
      const known = view.views.length;
      await eventually(() => expect(api.watches).toBe(1));

      api.cutWatches();
      api.store.restore();
      for (let n = 11; n <= 20; n += 1) api.apply('demo', slice(n));

      await view.shows(({ length }) => length === 20, 15_000);
      expect(view.fewest(known)).toBe(10);
    },
  );

  it('of a store that has lost its data are found out, and all is listed, also where nothing was known', async () => {
    const api = await openApi();
    api.store.skip(5);
    const watch = await openWatch(openBackend({ url: api.url, ...reader }));
    await eventually(() => expect(api.watches).toBe(1));

    api.cutWatches();
    api.store.restore();
    for (let n = 1; n <= 10; n += 1) api.apply('demo', slice(n));

    await watch.next(({ length }) => length === 20, soon);
  });

  it('of a list that has nothing of what was known end the watches', async () => {
    const api = await openApi();
    for (let n = 1; n <= 5; n += 1) api.apply('demo', slice(n));
    const watch = await openWatch(openBackend({ url: api.url, ...reader }));
    await eventually(() => expect(api.watches).toBe(1));

    api.tell('{"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old resource version"}}\n');
    api.endWatches();
    api.store.restore();
    for (let n = 11; n <= 20; n += 1) api.apply('demo', slice(n));

    await eventually(() => expect(String(watch.end?.error)).toMatch(/nothing of what was known/), soon);
  });

  it('of the future, which no event follows, are found out by the next list', async () => {
    const api = await openApi();
    const watch = await openWatch(openBackend({ url: api.url, ...reader }));
    await eventually(() => expect(api.watches).toBe(1));
    const lie = slice(1);
    api.tell(
      `${JSON.stringify({ type: 'ADDED', object: { ...lie, metadata: { ...lie.metadata, namespace: 'demo', resourceVersion: '99999999' } } })}\n`,
    );
    await watch.next(({ length }) => length === 2, soon);

    api.endWatches();

    await eventually(
      () => expect(String(watch.end?.error)).toMatch(/gone back from revision 99999999/),
      soon,
    );
  });

  it('that a list does not have are an error and no loop', async () => {
    const api = await openApi();
    api.store.restore(0);
    const backend = openBackend({ url: api.url, ...reader });
    await expect(backend.getInstances('web')).rejects.toThrow(/something else than a list/);
  });

  it('do not matter to a watch that is deaf: a list finds what it missed', async () => {
    const api = await openApi();
    const watch = await openWatch(openBackend({ url: api.url, ...reader, relistMs: 1_000 }));
    await eventually(() => expect(api.watches).toBe(1));
    const proven = watch.snapshots.length;
    // The store has it, and no watch is told.
    const other = await openApi();
    other.apply('demo', slice(1));
    api.store.restore(other.store.revision, new Map(other.store.entries()));

    await watch.next(({ length }) => length === 2, { ...soon, from: proven });
    expect(watch.end).toBeUndefined();
  });
});

describe('silence', () => {
  it('is no matter while bookmarks come', async () => {
    const api = await openApi({ bookmarkMs: 200 });
    const watch = await openWatch(openBackend({ url: api.url, ...reader, idleMs: 1_000 }));
    await passing(2_500);
    expect(counts(api, 'watch')).toBe(1);
    expect(watch.end).toBeUndefined();
  });

  it('for longer than idleMs takes the watch up anew, without a list and unnoticed', async () => {
    const api = await openApi();
    const watch = await openWatch(openBackend({ url: api.url, ...reader, idleMs: 500 }));
    await eventually(() => expect(counts(api, 'watch')).toBeGreaterThanOrEqual(3), soon);
    api.apply('demo', slice(1));
    await watch.next(({ length }) => length === 2, soon);
    expect(watch.end).toBeUndefined();
    expect(counts(api, 'list')).toBe(1);
  });

  it.each(['both', 'to-client'] as const)(
    'of a black hole (%s) is noticed, and lookups reject',
    async (blackHole) => {
      const api = await openApi();
      api.apply('demo', slice(1));
      const proxy = await FaultProxy.listen({ host: '127.0.0.1', port: api.port });
      onTestFinished(() => proxy.close());
      const backend = openBackend({
        url: `http://127.0.0.1:${proxy.port}`,
        ...reader,
        idleMs: 500,
        timeoutMs: 500,
      });
      const view = await openView(backend);

      await proxy.set({ blackHole });
      await expect(backend.getInstances('web')).rejects.toThrow(/did not answer within 500 ms/);
      await eventually(() => expect(view.view.error).toBeInstanceOf(BackendUnavailableError), soon);
      api.apply('demo', slice(2));
      await proxy.heal();

      await view.shows(({ length }) => length === 4, 10_000);
      expect(view.fewest(0)).toBeGreaterThanOrEqual(2);
    },
  );
});

describe('an API server', () => {
  it('whose etcd hangs leaves lookups to their deadline, and is back with it', async () => {
    const api = await openApi();
    api.apply('demo', slice(1));
    const backend = openBackend({ url: api.url, ...reader, timeoutMs: 300, rng: () => 0 });
    api.faults = { hung: true };
    await expect(backend.getInstances('web')).rejects.toThrow(/did not answer within 300 ms/);
    api.faults = {};
    expect(await backend.getInstances('web')).toHaveLength(2);
  });

  it.each([500, 503, 504] as const)('that answers %d fails views, which are back with it', async (status) => {
    const api = await openApi();
    api.apply('demo', slice(1));
    const backend = openBackend({ url: api.url, ...reader });
    const view = await openView(backend);
    api.faults = { status };
    api.cutWatches();
    await eventually(() => expect(String(view.view.error)).toMatch(`answered ${status}`), soon);
    await expect(backend.getInstances('web')).rejects.toThrow(BackendUnavailableError);
    api.faults = {};
    await view.shows(({ length }) => length === 2, 5_000);
  });

  it.each([500, 503] as const)(
    'that answers %d is left for another one behind its balancer',
    async (status) => {
      const [bad, good] = [await openApi(), await openApi()];
      const balancer = await openBalancer([bad.port, good.port]);
      const backend = openBackend({ url: balancer, ...reader, rng: () => 0 });
      bad.faults = { status };
      await expect(backend.getInstances('web')).rejects.toThrow(`answered ${status}`);
      expect(await backend.getInstances('web')).toEqual([]);
    },
  );

  it('that has too many requests is left alone for as long as it says, by all', async () => {
    const api = await openApi();
    const backend = openBackend({ url: api.url, ...reader, timeoutMs: 5_000, rng: () => 0 });
    api.faults = { status: 429, retryAfter: 1 };
    await expect(backend.getInstances('web')).rejects.toThrow(/too many requests/i);
    const [first, second] = api.requests;
    expect((second?.atMs ?? 0) - (first?.atMs ?? 0)).toBeGreaterThanOrEqual(990);
    const before = api.requests.length;

    const several = await Promise.allSettled([1, 2, 3].map(() => backend.getInstances('web')));

    expect(several.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    const next = api.requests[before];
    expect((next?.atMs ?? 0) - (second?.atMs ?? 0)).toBeGreaterThanOrEqual(990);
  });

  it('that wants a longer pause than a request may take is not asked', async () => {
    const api = await openApi();
    const backend = openBackend({ url: api.url, ...reader });
    api.faults = { status: 429, retryAfter: 3_600 };
    for (let n = 1; n <= 3; n += 1)
      await expect(backend.getInstances('web')).rejects.toThrow(/wants a pause of 60 s/);
    expect(api.requests).toHaveLength(1);
  });

  it('that closes connections which were kept loses no lookup', async () => {
    const api = await openApi();
    const backend = openBackend({ url: api.url, ...reader });
    for (let n = 1; n <= 20; n += 1) {
      await backend.getInstances('web');
      api.disconnectAll();
    }
    expect(api.requests.length).toBeGreaterThanOrEqual(20);
  });

  it('is asked over connections that are kept', async () => {
    const api = await openApi();
    const proxy = await FaultProxy.listen({ host: '127.0.0.1', port: api.port });
    onTestFinished(() => proxy.close());
    const backend = openBackend({ url: `http://127.0.0.1:${proxy.port}`, ...reader });
    for (let n = 1; n <= 20; n += 1) await backend.getInstances('web');
    expect(proxy.accepted).toBe(1);
  });

  it('lists thousands of slices in pages, while they change', async () => {
    const api = await openApi();
    for (let n = 1; n <= 1_201; n += 1)
      api.apply('demo', slice(n % 250, { service: `web-${n}`, endpoints: 1 }));
    const backend = openBackend({ url: api.url, ...reader });
    const services = backend.listServices();
    await eventually(() => expect(api.requests).toHaveLength(1));
    api.store.compact();
    api.apply('demo', slice(1, { service: 'another' }));
    expect((await services).length).toBeGreaterThanOrEqual(1_201);
  });
});

/** Each connection is to the next of these ports. */
async function openBalancer(ports: readonly number[]): Promise<string> {
  let connections = 0;
  const balancer = createServer((socket) => {
    const server = connect(ports[connections++ % ports.length] ?? 0, '127.0.0.1');
    for (const [one, other] of [
      [socket, server],
      [server, socket],
    ] as const) {
      one.on('error', () => undefined).on('close', () => other.destroy());
      one.pipe(other);
    }
  }).listen(0, '127.0.0.1');
  onTestFinished(() => void balancer.close());
  await once(balancer, 'listening');
  return `http://127.0.0.1:${(balancer.address() as AddressInfo).port}`;
}

describe('after a failure', () => {
  /** Whose pauses are the longest there are, on a clock that stands. */
  async function openFailing(fault: 'denied' | 'unavailable') {
    const api = await openApi();
    const clock = new ManualClock();
    const backend = openBackend({ url: api.url, ...reader, clock, rng: () => 0.99 });
    if (fault === 'denied') api.rights.set('reader', []);
    else api.faults = { status: 500 };
    return { api, clock, backend };
  }

  type Ask = (backend: KubernetesBackend, service: string) => Promise<unknown>;
  const watch: Ask = (backend, service) =>
    backend.watch(service, { signal: new AbortController().signal }).next();
  const lookUp: Ask = (backend, service) => backend.getInstances(service);

  it.each([
    ['watches', 'denied', watch, AccessDeniedError],
    ['watches', 'unavailable', watch, BackendUnavailableError],
    ['lookups', 'denied', lookUp, AccessDeniedError],
    ['lookups', 'unavailable', lookUp, BackendUnavailableError],
  ] as const)('all %s fail with it, unasked (%s)', async (_, fault, ask, error) => {
    const { api, clock, backend } = await openFailing(fault);
    for (let n = 1; n <= 20; n += 1) await expect(ask(backend, `web-${n}`)).rejects.toThrow(error);
    expect(api.requests).toHaveLength(1);

    await clock.advance(1_000);
    await expect(ask(backend, 'web')).rejects.toThrow(error);
    expect(api.requests).toHaveLength(2);
  });

  it('a lookup says which service it was for, and what happened to the other', async () => {
    const { backend } = await openFailing('unavailable');
    await expect(lookUp(backend, 'web')).rejects.toMatchObject({ service: 'web' });
    await expect(lookUp(backend, 'orders')).rejects.toMatchObject({
      service: 'orders',
      message: expect.stringContaining('the API server answered 500') as string,
      cause: { service: 'web' },
    });
  });

  it('pauses become longer, up to a second, and are short again after a success', async () => {
    const { api, clock, backend } = await openFailing('unavailable');
    const pauseMs = async (): Promise<number> => {
      const before = api.requests.length;
      for (let ms = 0; ; ms += 1) {
        await lookUp(backend, 'web').catch(() => undefined);
        if (api.requests.length > before) return ms;
        await clock.advance(1);
      }
    };
    await pauseMs();
    const pauses = [await pauseMs(), await pauseMs(), await pauseMs(), await pauseMs(), await pauseMs()];
    expect(pauses).toEqual([99, 198, 396, 792, 990]);

    api.faults = {};
    await pauseMs();
    api.faults = { status: 500 };
    await pauseMs();
    expect(await pauseMs()).toBe(99);
  });

  it('what was cancelled is none', async () => {
    const { api, backend } = await openFailing('unavailable');
    api.faults = { hung: true };
    const reason = new BackendUnavailableError('kubernetes', 'the caller has no more time');
    const cancelled = new AbortController();
    const lookup = backend.getInstances('web', { signal: cancelled.signal });
    await eventually(() => expect(api.requests).toHaveLength(1));
    cancelled.abort(reason);
    await expect(lookup).rejects.toBe(reason);
    api.faults = {};
    expect(await backend.getInstances('web')).toEqual([]);
  });
});

describe('the process of an API server', () => {
  it.each([
    ['killed and back with its data', true],
    ['killed and back without its data', false],
  ])('%s', { timeout: 30_000 }, async (_, keepData) => {
    const server = await KubernetesServer.start();
    onTestFinished(() => server.stop());
    const path = '/apis/discovery.k8s.io/v1/namespaces/demo/endpointslices';
    for (let n = 1; n <= 4; n += 1) await server.command('POST', path, slice(n));
    const view = await openView(openBackend({ url: server.url, token: server.readerToken }));
    const known = view.views.length;

    await server.kill();
    await eventually(() => expect(view.view.state).toBe('stale'), soon);
    await server.start({ keepData });
    if (!keepData) for (let n = 1; n <= 4; n += 1) await server.command('POST', path, slice(n));
    await server.command('POST', path, slice(5));

    await view.shows(({ length }) => length === 10, 15_000);
    // What is written slice by slice into an empty store is believed from half of it on, as in the conformance suite.
    expect(view.fewest(known)).toBeGreaterThanOrEqual(keepData ? 8 : 4);
  });

  it('frozen: noticed after idleMs, and well again after it', { timeout: 30_000 }, async () => {
    const server = await KubernetesServer.start();
    onTestFinished(() => server.stop());
    const path = '/apis/discovery.k8s.io/v1/namespaces/demo/endpointslices';
    await server.command('POST', path, slice(1));
    const backend = openBackend({ url: server.url, token: server.readerToken, idleMs: 500, timeoutMs: 500 });
    const view = await openView(backend);

    server.freeze();
    await eventually(() => expect(view.view.error).toBeInstanceOf(BackendUnavailableError), soon);
    server.thaw();
    await server.command('PATCH', `${path}/web-1`, {
      endpoints: [1, 2, 3].map((index) => endpoint(1, index)),
    });

    await view.shows(({ length }) => length === 3, 10_000);
  });
});
