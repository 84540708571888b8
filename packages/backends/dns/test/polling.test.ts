import { describe, expect, it, onTestFinished } from 'vitest';
import { ManualClock, type Rng } from '@sd/core';
import { eventually, WatchRecorder } from '@sd/testkit';
import type { DnsServer } from '../../../../tools/servers/index.ts';
import type { DnsBackendOptions } from '../src/index.ts';
import { hostOf, hosts, openBackend, openServer, openWith, publish, srv } from './open-backend.ts';

const name = '_orders._tcp.test';

/** A watch in manual time that has its first answer. */
async function watchManually(
  server: DnsServer,
  { rng = () => 0, ...options }: Partial<DnsBackendOptions> & { rng?: Rng } = {},
) {
  const clock = new ManualClock();
  const backend = openBackend(server, {
    minIntervalMs: 1_000,
    maxIntervalMs: 30_000,
    clock,
    rng,
    ...options,
  });
  const watch = new WatchRecorder(backend, 'orders');
  onTestFinished(() => watch.close());
  await eventually(() => expect(watch.snapshots).toHaveLength(1));
  const isWaiting = () => eventually(() => expect(clock.pendingTimers).toBe(1));
  await isWaiting();
  /** After how many milliseconds it asks again. */
  const pauseMs = async (): Promise<number> => {
    await isWaiting();
    const [asked, from] = [server.questions.length, clock.monotonic()];
    const isQuiet = () => clock.pendingTimers === 1 && server.questions.length === asked;
    while (isQuiet()) await clock.advance(250);
    const tookMs = clock.monotonic() - from;
    await isWaiting();
    return tookMs;
  };
  return { watch, clock, backend, pauseMs };
}

describe('a watch asks again', () => {
  it('when the shortest TTL is over', async () => {
    const server = await openServer({ ttl: 60 });
    publish(server, 1, 2);
    server.set(name, 'SRV', { data: srv(1), ttl: 9 }, { data: srv(2), ttl: 5 });
    const { pauseMs } = await watchManually(server);
    expect(await pauseMs()).toBe(5_000);
    expect(await pauseMs()).toBe(5_000);
  });

  it('when the TTL of an alias or of an address that it had to ask for is over', async () => {
    const server = await openServer({ ttl: 20 });
    server.set(name, 'CNAME', { data: '_real._tcp.test', ttl: 4 });
    server.set('_real._tcp.test', 'SRV', { data: srv(1) });
    server.set('web-1.test', 'A', { data: hostOf(1), ttl: 7 });
    expect(await (await watchManually(server)).pauseMs()).toBe(4_000);
    server.set(name, 'CNAME', { data: '_real._tcp.test', ttl: 15 });
    server.fault = () => ({ withoutAdditionals: true });
    expect(await (await watchManually(server)).pauseMs()).toBe(7_000);
  });

  it.each([undefined, 'both' as const])(
    'when the TTL of an address that came along is over (%s)',
    async (family) => {
      const server = await openServer({ ttl: 20 });
      server.set(name, 'SRV', { data: srv(1) });
      server.set('web-1.test', 'A', { data: hostOf(1), ttl: 5 });
      expect(await (await watchManually(server, { family })).pauseMs()).toBe(5_000);
    },
  );

  it.each([
    [0, 1_000],
    [3_600, 30_000],
  ])('within the bounds of the options: a TTL of %i s', async (ttl, expected) => {
    const server = await openServer({ ttl });
    publish(server, 1);
    expect(await (await watchManually(server)).pauseMs()).toBe(expected);
  });

  it('soon, and then ever more seldom, when a target could not be had', async () => {
    const server = await openServer({ ttl: 20 });
    server.set(name, 'SRV', { data: srv(1) }, { data: srv(2) });
    server.set('web-1.test', 'A', { data: hostOf(1) });
    server.fault = ({ name: asked }) => (asked === 'web-2.test' ? { rcode: 2 } : undefined);
    const { pauseMs } = await watchManually(server);
    expect([await pauseMs(), await pauseMs(), await pauseMs()]).toEqual([1_000, 2_000, 4_000]);
  });

  it('when the time is over for which there is nothing', async () => {
    const server = await openServer({ ttl: 12 });
    expect(await (await watchManually(server)).pauseMs()).toBe(12_000);
  });

  it('ever more seldom when nothing says how long there is nothing, and soon after a change', async () => {
    const server = await openServer({ ttl: 0 });
    server.fault = () => ({ withoutSoa: true });
    const { pauseMs } = await watchManually(server);
    expect([await pauseMs(), await pauseMs(), await pauseMs()]).toEqual([2_000, 4_000, 8_000]);
    for (let n = 0; n < 3; n += 1) await pauseMs();
    expect(await pauseMs()).toBe(30_000);
  });

  it('up to a quarter later, so that watchers do not come together', async () => {
    const server = await openServer({ ttl: 10 });
    publish(server, 1);
    expect(await (await watchManually(server, { rng: () => 0.8 })).pauseMs()).toBe(12_000);
  });

  it('once for all who watch, and not at all when nobody does', async () => {
    const server = await openServer({ ttl: 10 });
    publish(server, 1);
    const { backend, watch, clock, pauseMs } = await watchManually(server);
    const other = new WatchRecorder(backend, 'orders');
    await eventually(() => expect(other.snapshots).toHaveLength(1));
    expect(server.questions).toHaveLength(1);
    await pauseMs();
    expect(server.questions).toHaveLength(2);
    await Promise.all([watch.close(), other.close()]);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('a server that writes a target now this way and now that', () => {
  it.each(['addresses', 'names'] as const)('has not said anything new: %s', async (targets) => {
    const server = await openServer();
    publish(server, 1);
    const { watch, pauseMs } = await watchManually(server, { targets });
    server.set(name, 'SRV', { data: { ...srv(1), target: 'WEB-1.Test' } });
    await pauseMs();
    expect(watch.snapshots).toHaveLength(1);
  });
});

describe('a server that gives a part of the instances at a time', () => {
  const everybody = [1, 2, 3, 4, 5, 6];

  it('is believed when it leaves somebody out, unless misses are allowed', async () => {
    const server = await openServer();
    publish(server, ...everybody);
    server.fault = () => ({ atMost: 2 });
    expect(await openBackend(server).getInstances('orders')).toHaveLength(2);
  });

  it('shows all of them in the end, and those that are gone go after so many answers', async () => {
    const server = await openServer();
    publish(server, ...everybody);
    server.fault = () => ({ atMost: 2 });
    const { watch, pauseMs } = await watchManually(server, { misses: 3 });
    await pauseMs();
    await pauseMs();
    await eventually(() => expect(hosts(watch.latest)).toEqual(everybody.map(hostOf)));

    const known = watch.snapshots.length;
    publish(server, 1, 2, 3, 4);
    for (let n = 0; n < 3; n += 1) await pauseMs();
    await eventually(() => expect(hosts(watch.latest)).toEqual([1, 2, 3, 4].map(hostOf)));
    const sizes = watch.snapshots.slice(known).map(({ instances }) => instances.length);
    expect(Math.min(...sizes)).toBe(4);
  });

  it('is believed at once when it says that there is nobody', async () => {
    const server = await openServer();
    publish(server, ...everybody);
    const { watch, pauseMs } = await watchManually(server, { misses: 100 });
    server.set(name, 'SRV');
    await pauseMs();
    await eventually(() => expect(watch.latest).toEqual([]));
  });

  it('is made up for in lookups too, as long as somebody watches', async () => {
    const server = await openServer();
    publish(server, ...everybody);
    server.fault = () => ({ atMost: 3 });
    const { backend } = await watchManually(server, { misses: 5 });
    expect(await backend.getInstances('orders')).toHaveLength(6);
  });

  /** A watch that knew three of them when it failed. */
  async function watchUntilFailure() {
    const server = await openServer();
    publish(server, ...everybody);
    server.fault = () => ({ atMost: 3 });
    const { backend, watch, clock } = await watchManually(server, { misses: 5 });
    server.fault = () => ({ rcode: 2 });
    await clock.advance(1_000);
    await eventually(() => expect(watch.end?.error).toBeDefined());
    server.fault = () => ({ atMost: 3 });
    return { server, backend, clock };
  }

  it('is not made up for once nobody watches, also after a failure', async () => {
    const { server, backend } = await watchUntilFailure();
    publish(server, 7, 8);
    expect(hosts(await backend.getInstances('orders'))).toEqual([7, 8].map(hostOf));
  });

  it('is begun anew with long after a failure', async () => {
    const { server, backend, clock } = await watchUntilFailure();
    publish(server, 7, 8);
    await clock.advance(5 * 60_000);
    const again = new WatchRecorder(backend, 'orders');
    onTestFinished(() => again.close());
    await eventually(() => expect(hosts(again.snapshots[0]?.instances)).toEqual([7, 8].map(hostOf)));
  });

  it('is not begun anew with soon after a failure', async () => {
    const { backend } = await watchUntilFailure();
    const again = new WatchRecorder(backend, 'orders');
    onTestFinished(() => again.close());
    await eventually(() => expect(again.snapshots[0]?.instances).toHaveLength(6));
  });
});

describe('a target whose address cannot be had', () => {
  const withoutAddresses = (failing: string) => (question: { readonly name: string }) =>
    question.name === failing ? { rcode: 2 } : { withoutAdditionals: true };

  it('keeps the one that was known', async () => {
    const server = await openServer();
    publish(server, 1, 2);
    const { watch, pauseMs } = await watchManually(server);
    server.fault = withoutAddresses('web-2.test');
    publish(server, 1, 2, 3);
    await pauseMs();
    await eventually(() => expect(hosts(watch.latest)).toEqual([1, 2, 3].map(hostOf)));
    publish(server, 1, 3);
    await pauseMs();
    await eventually(() => expect(hosts(watch.latest)).toEqual([1, 3].map(hostOf)));
  });

  it('in one family keeps none of the other that it no longer has', async () => {
    const server = await openServer();
    publish(server, 1);
    server.set('web-1.test', 'AAAA', { data: '2001:db8::1' });
    const { watch, pauseMs } = await watchManually(server, { family: 'both' });
    server.set('web-1.test', 'AAAA');
    server.set('web-1.test', 'A', { data: hostOf(9) });
    server.fault = ({ type }) => (type === 'AAAA' ? { rcode: 2 } : undefined);
    await pauseMs();
    await eventually(() => expect(hosts(watch.latest)).toEqual([hostOf(9), '2001:db8::1']));
  });

  it('is left out where none is known, and is a failure when no other has one', async () => {
    const server = await openServer();
    publish(server, 1, 2);
    server.fault = withoutAddresses('web-2.test');
    expect(hosts(await openBackend(server).getInstances('orders'))).toEqual([hostOf(1)]);
    publish(server, 2);
    await expect(openBackend(server).getInstances('orders')).rejects.toThrow(/SERVFAIL/);
    server.set(name, 'SRV', { data: srv(2) }, { data: { ...srv(3), target: 'gone.test' } });
    await expect(openBackend(server).getInstances('orders')).rejects.toThrow(/SERVFAIL/);
  });
});

describe('abort and close()', () => {
  it('harm nobody, in whatever moment they come', async () => {
    const server = await openServer();
    publish(server, 1);
    const backend = openBackend(server);
    const uncaught: unknown[] = [];
    const onUncaught = (error: unknown): void => void uncaught.push(error);
    process.on('uncaughtExceptionMonitor', onUncaught);
    onTestFinished(() => void process.off('uncaughtExceptionMonitor', onUncaught));
    for (let ticks = 0; ticks < 12; ticks += 1) {
      const stop = new AbortController();
      const failure = expect(backend.getInstances('orders', stop)).rejects.toThrow('enough');
      const abortAfter = (left: number): void => {
        if (left === 0) stop.abort(new Error('enough'));
        else process.nextTick(abortAfter, left - 1);
      };
      abortAfter(ticks);
      await failure;
    }
    expect(uncaught).toEqual([]);
  });

  it('end a question that is under way, at once and with the reason', async () => {
    for (const transport of ['udp', 'tcp'] as const) {
      const server = await openServer();
      server.fault = () => ({ silent: true });
      const backend = openBackend(server, { transport, timeoutMs: 60_000 });
      const stop = new AbortController();
      const read = backend.getInstances('orders', { signal: stop.signal });
      const watch = new WatchRecorder(backend, 'orders');
      await eventually(() => expect(server.questions).toHaveLength(2));
      const reason = new Error('enough');
      stop.abort(reason);
      await expect(read).rejects.toBe(reason);
      await watch.close();
      expect(watch.end).toEqual({});
      const late = backend.getInstances('orders');
      await backend.close();
      await expect(late).rejects.toMatchObject({ code: 'ERR_SD_CLOSED' });
      await server.close();
    }
    await eventually(() =>
      expect(process.getActiveResourcesInfo().filter((type) => /UDP|TCP/.test(type))).toEqual([]),
    );
  });

  it('reach those that wait for their turn: no more than 64 questions are under way at once', async () => {
    const server = await openServer();
    server.fault = () => ({ silent: true });
    const backend = openBackend(server, { timeoutMs: 60_000 });
    const stop = new AbortController();
    const reads = Array.from({ length: 100 }, (_, n) => backend.getInstances(`s${n}`, stop));
    await eventually(() => expect(server.questions).toHaveLength(64));
    stop.abort();
    const ends = await Promise.allSettled(reads);
    expect(ends.every(({ status }) => status === 'rejected')).toBe(true);
    server.fault = undefined;
    expect(await backend.getInstances('orders')).toEqual([]);
    expect(server.questions).toHaveLength(65);
  });
});

describe('listServices()', () => {
  it('asks for the names that it was given', async () => {
    const server = await openServer();
    publish(server, 1);
    expect(await openBackend(server, { services: ['orders', 'payments'] }).listServices()).toEqual([
      'orders',
    ]);
  });

  it('rejects without them, as DNS cannot list', async () => {
    const backend = openWith({});
    await expect(backend.listServices()).rejects.toMatchObject({ code: 'ERR_SD_CONFIG', field: 'services' });
  });
});
