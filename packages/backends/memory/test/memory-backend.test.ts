import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import {
  ClosedError,
  ConfigValidationError,
  createInstance,
  LeaseLostError,
  ManualClock,
  type Clock,
  type ServiceInstance,
} from '@sd/core';
import { MemoryBackend, MemoryStore } from '@sd/memory';

const ttl = 9_000;

function instance(n: number, service = 'orders'): ServiceInstance {
  return createInstance({ service, id: `${service}-${n}`, host: '10.0.0.1', port: 8000 + n }, 0);
}

function world() {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  return { clock, store, backend: new MemoryBackend({ store }), other: new MemoryBackend({ store }) };
}

describe('the store of a MemoryBackend', () => {
  it('is shared by backends that were made apart from each other', async () => {
    await using provider = new MemoryBackend();
    await using consumer = new MemoryBackend();
    const lease = await provider.register(instance(1, 'shared'), { ttl });
    expect(await consumer.getInstances('shared')).toEqual([instance(1, 'shared')]);
    await lease.release();
    expect(await consumer.getInstances('shared')).toEqual([]);
  });

  it('is shared by backends on the same clock, and by no others', async () => {
    const clock = new ManualClock();
    await new MemoryBackend({ clock }).register(instance(1), { ttl });
    expect(await new MemoryBackend({ clock }).listServices()).toEqual(['orders']);
    expect(await new MemoryBackend({ clock: new ManualClock() }).listServices()).toEqual([]);
  });

  it('decides of the expiry when the backend has a clock of its own for renewals', async () => {
    const { clock, store } = world();
    const standing = new ManualClock();
    const lease = await new MemoryBackend({ store, clock: standing }).register(instance(1), { ttl });
    await clock.advance(ttl - 1);
    expect(lease.lost.aborted).toBe(false);
    await clock.advance(1);
    expect(lease.lost.reason).toMatchObject({ reason: 'expired' });
  });
});

describe('MemoryBackend.getInstances()', () => {
  it('returns the same frozen snapshot to everybody until the service changes', async () => {
    const { backend, other, store } = world();
    store.write('orders', 'orders-1', instance(1));
    const snapshot = await backend.getInstances('orders');
    store.write('payments', 'payments-1', instance(1, 'payments'));
    expect(await other.getInstances('orders')).toBe(snapshot);
    expect(Object.isFrozen(snapshot)).toBe(true);

    store.write('orders', 'orders-2', instance(2));
    const next = await backend.getInstances('orders');
    expect(next).toHaveLength(2);
    expect(snapshot).toHaveLength(1);
  });

  it('keeps the object of an instance for as long as it says the same', async () => {
    const { backend, store } = world();
    store.write('orders', 'orders-1', instance(1));
    const [before] = await backend.getInstances('orders');
    store.write('orders', 'orders-1', { ...instance(1), updatedAt: 1_000 });
    store.write('orders', 'orders-2', instance(2));
    const [after] = await backend.getInstances('orders');
    expect(after).toBe(before);
  });

  it('reads JSON text and objects alike', async () => {
    const { backend, store } = world();
    store.write('orders', 'orders-1', JSON.stringify(instance(1)));
    store.write('orders', 'orders-2', instance(2));
    expect(await backend.getInstances('orders')).toEqual([instance(1), instance(2)]);
  });

  it('refuses an instance that is too long to be read, also as an update', async () => {
    await using backend = new MemoryBackend({ store: new MemoryStore() });
    const init = { service: 'orders', host: '10.0.0.1', port: 80 };
    const metadata = Object.fromEntries(
      Array.from({ length: 30 }, (_, key) => [`k${key}`, 'x'.repeat(4_000)]),
    );
    const tooLong = createInstance({ ...init, metadata }, 0);
    await expect(backend.register(tooLong, { ttl: 1_000 })).rejects.toThrow(ConfigValidationError);
    const lease = await backend.register(createInstance(init, 0), { ttl: 1_000 });
    await expect(lease.update(tooLong)).rejects.toThrow(ConfigValidationError);
    expect(await backend.getInstances('orders')).toHaveLength(1);
  });

  it('counts malformed entries in each backend that meets them', async () => {
    const { clock, store } = world();
    const warnings: string[] = [];
    const warn = (message: string) => void warnings.push(message);
    const logger = { debug: warn, info: warn, warn, error: warn };
    const backend = new MemoryBackend({ store, clock, logger });
    const idle = new MemoryBackend({ store, clock, logger });
    store.write('orders', 'orders-1', { ...instance(1), port: 70_000 });
    store.write('orders', 'orders-2', instance(3));

    expect(await backend.getInstances('orders')).toEqual([]);
    await backend.getInstances('orders');

    expect(backend.malformed.recent.map(({ key }) => key)).toEqual(['orders-1', 'orders-2']);
    expect(warnings).toHaveLength(2);
    expect(idle.malformed.count).toBe(0);
    expect(await backend.listServices()).toEqual([]);
  });
});

describe('MemoryBackend.register()', () => {
  it('keeps what the instance was, whatever its owner does to the object', async () => {
    const { backend, other } = world();
    const metadata = { team: 'shop' };
    await backend.register({ ...instance(1), metadata }, { ttl });
    metadata.team = 'changed';
    expect(await other.getInstances('orders')).toMatchObject([{ metadata: { team: 'shop' } }]);
  });

  it('is cancelled by a signal that aborts on the way', async () => {
    const { backend } = world();
    const abort = new AbortController();
    const registering = backend.register(instance(1), { ttl, signal: abort.signal });
    abort.abort(new Error('enough'));
    await expect(registering).rejects.toThrow('enough');
    expect(await backend.getInstances('orders')).toEqual([]);
  });

  it('renews a thousand leases with a few timers, and loses none', async () => {
    const clock = new ManualClock();
    const store = new ObservedStore({ clock });
    const timers = countingTimers(clock);
    const backend = new MemoryBackend({ store, clock: timers.clock });
    const leases = [];
    for (let n = 1; n <= 1_000; n += 1) {
      leases.push(await backend.register(instance(n), { ttl }));
      await clock.advance(3);
    }
    store.renewals = 0;
    timers.set = 0;

    await clock.advance(10 * ttl);

    expect(leases.filter(({ lost }) => lost.aborted)).toEqual([]);
    expect(await backend.getInstances('orders')).toHaveLength(1_000);
    expect(store.renewals).toBeGreaterThanOrEqual(10 * 3 * 1_000);
    expect(store.renewals).toBeLessThanOrEqual(10 * 4 * 1_000);
    expect(timers.set).toBeLessThanOrEqual(10 * 12);
  });
});

describe('the lease of a MemoryBackend', () => {
  it.each([
    ['deleted', (store: MemoryStore) => store.delete('orders', 'orders-1')],
    ['replaced', (store: MemoryStore) => store.write('orders', 'orders-1', instance(1))],
  ] as const)('is lost as %s at once', async (reason, act) => {
    const { backend, store } = world();
    const lease = await backend.register(instance(1), { ttl });
    act(store);
    expect(lease.lost.reason).toBeInstanceOf(LeaseLostError);
    expect(lease.lost.reason).toMatchObject({ service: 'orders', instanceId: 'orders-1', reason });
  });

  it('is replaced by a registration of its own backend too', async () => {
    const { backend } = world();
    const first = await backend.register(instance(1), { ttl });
    const second = await backend.register(instance(1), { ttl });
    expect(first.lost.reason).toMatchObject({ reason: 'replaced' });
    await first.release();
    expect(second.lost.aborted).toBe(false);
    expect(await backend.getInstances('orders')).toHaveLength(1);
  });

  it('updates its own instance and no other', async () => {
    const { backend, other } = world();
    const lease = await backend.register(instance(1), { ttl });
    const draining = { ...instance(1), status: 'draining' } as const;
    await lease.update(draining);
    expect(lease.instance).toEqual(draining);
    expect(await other.getInstances('orders')).toEqual([draining]);

    await expect(lease.update(instance(2))).rejects.toThrow(
      'Lease.update(): "id" is "orders-2", expected "orders-1"',
    );
    await expect(lease.update({ ...instance(1), port: 0 })).rejects.toThrow(ConfigValidationError);
    expect(await other.getInstances('orders')).toEqual([draining]);
  });

  it('cannot be updated once it is released', async () => {
    const { backend } = world();
    const lease = await backend.register(instance(1), { ttl });
    await lease.release();
    await expect(lease.update(instance(1))).rejects.toThrow(
      'The lease of "orders-1" in service "orders" is closed',
    );
    expect(await backend.getInstances('orders')).toEqual([]);
  });

  it('cannot be released once its backend is closed: the record expires', async () => {
    const { backend, other, clock } = world();
    const lease = await backend.register(instance(1), { ttl });
    await backend.close();
    await expect(lease.release()).rejects.toThrow(ClosedError);
    await clock.advance(ttl);
    expect(await other.getInstances('orders')).toEqual([]);
    expect(lease.lost.aborted).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('MemoryBackend.watch()', () => {
  it('skips what changed while nobody was reading', async () => {
    const { backend, store } = world();
    const watch = backend.watch('orders', { signal: new AbortController().signal });
    expect(await watch.next()).toEqual({ done: false, value: [] });
    store.write('orders', 'orders-1', instance(1));
    store.write('orders', 'orders-2', instance(2));
    expect(await watch.next()).toMatchObject({ value: [{ id: 'orders-1' }, { id: 'orders-2' }] });
    await watch.return();
  });

  it('yields nothing any more after an abort, not even what was pending', async () => {
    const { backend, store } = world();
    const abort = new AbortController();
    const watch = backend.watch('orders', { signal: abort.signal });
    await watch.next();
    store.write('orders', 'orders-1', instance(1));
    abort.abort();
    expect(await watch.next()).toEqual({ done: true, value: undefined });
  });
});

describe('the end of a watch', () => {
  it.each([
    ['an abort', async (_, abort) => abort.abort()],
    ['close()', async (backend) => backend.close()],
    ['its reader', (_backend, _abort, watch) => watch.return().then(() => undefined)],
  ] as [string, (backend: MemoryBackend, abort: AbortController, watch: Watch) => Promise<void>][])(
    'by %s leaves no listener behind',
    async (_, end) => {
      const clock = new ManualClock();
      const store = new ObservedStore({ clock });
      const backend = new MemoryBackend({ store });
      const abort = new AbortController();
      const watch = backend.watch('orders', { signal: abort.signal });
      await watch.next();
      expect([store.subscriptions, getEventListeners(abort.signal, 'abort').length]).toEqual([1, 1]);

      await end(backend, abort, watch);

      expect([store.subscriptions, getEventListeners(abort.signal, 'abort').length]).toEqual([0, 0]);
    },
  );
});

describe('new MemoryBackend()', () => {
  it.each([
    [{ stroe: undefined }, '"stroe" is an unknown option, expected one of "store", "clock", "logger"'],
    [{ store: {} }, '"store" is {}, expected a MemoryStore'],
    [{ clock: Date }, '"clock" is a function, expected a Clock'],
    [{ logger: 'console' }, '"logger" is "console", expected a DiscoveryLogger'],
  ])('refuses %j', (options, message) => {
    const make = (): unknown => Reflect.construct(MemoryBackend, [options]) as unknown;
    expect(make).toThrow(`MemoryBackend: ${message}`);
  });
});

type Watch = ReturnType<MemoryBackend['watch']>;

class ObservedStore extends MemoryStore {
  renewals = 0;
  subscriptions = 0;

  override renew(...args: Parameters<MemoryStore['renew']>): boolean {
    this.renewals += 1;
    return super.renew(...args);
  }

  override subscribe(...args: Parameters<MemoryStore['subscribe']>): () => void {
    this.subscriptions += 1;
    const unsubscribe = super.subscribe(...args);
    return () => {
      this.subscriptions -= 1;
      unsubscribe();
    };
  }
}

function countingTimers(clock: Clock): { readonly clock: Clock; set: number } {
  const counted = {
    set: 0,
    clock: {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      setTimer(...args: Parameters<Clock['setTimer']>) {
        counted.set += 1;
        return clock.setTimer(...args);
      },
    },
  };
  return counted;
}
