import { describe, expect, it } from 'vitest';
import { ClosedError, createInstance, ManualClock } from '@sd/core';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { virtualTime, WatchRecorder } from '@sd/testkit';

const orders = createInstance({ service: 'orders', id: 'o1', host: '10.0.0.1', port: 80 }, 0);

function recording() {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const backend = new MemoryBackend({ store });
  return { clock, store, backend, watch: new WatchRecorder(backend, 'orders', virtualTime(clock)) };
}

describe('WatchRecorder', () => {
  it('keeps every snapshot and when it came', async () => {
    const { clock, store, watch } = recording();
    await clock.advance(50);
    store.write('orders', 'o1', orders);
    await clock.advance(50);
    expect(watch.snapshots).toEqual([
      { instances: [], atMs: 0 },
      { instances: [orders], atMs: 50 },
    ]);
    expect(watch.latest).toEqual([orders]);
  });

  it('next() finds the first snapshot that fits, from the given one on', async () => {
    const { clock, store, watch } = recording();
    clock.setTimer(() => store.write('orders', 'o1', orders), 100);
    clock.setTimer(() => store.delete('orders', 'o1'), 200);
    expect(await watch.next(({ length }) => length === 0, { timeoutMs: 0 })).toMatchObject({ atMs: 0 });
    expect(await watch.next(({ length }) => length === 0, { timeoutMs: 500, from: 1 })).toMatchObject({
      atMs: 200,
    });
  });

  it('next() says what was seen instead', async () => {
    const { store, watch } = recording();
    store.write('orders', 'o1', orders);
    await expect(watch.next(({ length }) => length === 2, { timeoutMs: 100 })).rejects.toThrow(
      'the watch of "orders" had 1 snapshots, the last [o1]',
    );
  });

  it('knows how the watch ended', async () => {
    const { backend, watch } = recording();
    const aborted = new WatchRecorder(backend, 'orders');
    await aborted.close();
    expect(aborted.end).toEqual({});

    expect(watch.end).toBeUndefined();
    await backend.close();
    await watch.close();
    expect(watch.end?.error).toBeInstanceOf(ClosedError);
  });
});
