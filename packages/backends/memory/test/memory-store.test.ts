import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { createInstance, ManualClock, resetLogger, setLogger, type LeaseLossReason } from '@sd/core';
import { MemoryStore } from '@sd/memory';

const orders = createInstance({ service: 'orders', id: 'o1', host: '10.0.0.1', port: 80 }, 0);

function lease(ttl: number) {
  const losses: LeaseLossReason[] = [];
  return { ttl, losses, onLost: (reason: LeaseLossReason) => void losses.push(reason) };
}

describe('MemoryStore', () => {
  it('lets only the lease that holds a record renew it and take it out', () => {
    const store = new MemoryStore({ clock: new ManualClock() });
    const [old, holder] = [lease(1_000), lease(1_000)];
    store.write('orders', 'o1', orders, old);
    store.write('orders', 'o1', orders, holder);

    expect(store.renew('orders', 'o1', old)).toBe(false);
    store.delete('orders', 'o1', old);
    expect(store.read('orders').instances).toEqual([orders]);

    expect(store.renew('orders', 'o1', holder)).toBe(true);
    store.delete('orders', 'o1', holder);
    expect(store.read('orders').instances).toEqual([]);
    expect([old.losses, holder.losses]).toEqual([['replaced'], []]);
  });

  it('expires each record at its own time, and those without a lease never', async () => {
    const clock = new ManualClock();
    const store = new MemoryStore({ clock });
    for (const ttl of [3_000, 1_000, 2_000]) {
      store.write('orders', `o${ttl}`, { ...orders, id: `o${ttl}` }, lease(ttl));
    }
    store.write('orders', 'o1', orders);
    const changedAt: number[] = [];
    store.subscribe('orders', () => void changedAt.push(clock.monotonic()));

    await clock.advance(60_000);

    expect(changedAt).toEqual([1_000, 2_000, 3_000]);
    expect(store.read('orders').instances).toEqual([orders]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('tells of changes of the service alone', () => {
    const store = new MemoryStore();
    let changes = 0;
    const stop = store.subscribe('orders', () => void (changes += 1));
    store.write('orders2', 'o1', { ...orders, service: 'orders2' });
    expect(changes).toBe(0);
    store.write('orders', 'o1', orders);
    stop();
    stop();
    store.delete('orders', 'o1');
    expect(changes).toBe(1);
  });

  it('goes on when a subscriber throws', () => {
    const logged = vi.fn();
    setLogger({ debug: logged, info: logged, warn: logged, error: logged });
    onTestFinished(resetLogger);
    const store = new MemoryStore();
    let changes = 0;
    store.subscribe('orders', () => {
      throw new Error('the subscriber is wrong');
    });
    store.subscribe('orders', () => void (changes += 1));
    store.write('orders', 'o1', orders);
    expect(store.read('orders').instances).toEqual([orders]);
    expect(changes).toBe(1);
    expect(logged).toHaveBeenCalledOnce();
  });

  it('keeps what a subscriber writes that ends as the last record goes', () => {
    const store = new MemoryStore();
    const next = { ...orders, id: 'o2' };
    store.write('orders', 'o1', orders);
    const stop = store.subscribe('orders', () => {
      stop();
      store.write('orders', 'o2', next);
    });
    store.delete('orders', 'o1');
    expect(store.read('orders').instances).toEqual([next]);
  });

  it('shows a lease that is told of its loss what took its place', () => {
    const store = new MemoryStore();
    const next = { ...orders, port: 81 };
    const seen: unknown[] = [];
    const onLost = () => void seen.push(store.read('orders').instances);
    store.write('orders', 'o1', orders, { ttl: 1_000, onLost });
    store.write('orders', 'o1', next);
    expect(seen).toEqual([[next]]);
  });

  it('is not confused by names that every object knows', () => {
    const store = new MemoryStore();
    store.write('__proto__', 'constructor', orders);
    expect(store.services()).toEqual([]);
    expect(store.read('constructor').instances).toEqual([]);
    expect(store.read('__proto__').malformed).toHaveLength(1);
  });
});
