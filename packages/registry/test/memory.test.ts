import { follow, ManualClock, seededRng, type InstanceStatus } from '@sd/core';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { describe, expect, it } from 'vitest';
import { ServiceRegistry } from '../src/index.ts';
import { orders } from './fixture.ts';
import { RecordingLogger } from './scripted-backend.ts';

describe('a registry on the memory backend', () => {
  it('shows consumers each step from registering to leaving', async () => {
    const { clock, backend, registry } = setUpMemory();
    const seen: (InstanceStatus | undefined)[] = [];
    const view = follow(backend, 'orders', {
      clock,
      onChange: ({ instances }) => seen.push(instances[0]?.status),
    });

    const registration = await registry.register({ ...orders, status: 'starting' });
    await clock.advance(100);
    await registration.update({ status: 'healthy' });
    await clock.advance(100);
    const draining = registration.drain();
    await clock.advance(3_000);
    await draining;
    await clock.advance(100);
    view.close();

    expect(seen).toEqual(['starting', 'healthy', 'draining', undefined]);
  });

  it('puts an instance back that a stranger deleted, once', async () => {
    const { clock, store, backend, registry } = setUpMemory();
    const { instance } = await registry.register(orders);

    store.delete('orders', 'orders-1');
    await clock.advance(1_000);

    expect(await backend.getInstances('orders')).toEqual([instance]);
  });

  it('puts an instance back that expired while the process was frozen', async () => {
    const { clock, store, registry } = setUpMemory();
    const frozen = new ManualClock();
    const backend = new MemoryBackend({ store, clock: frozen });
    const sleeper = new ServiceRegistry({ backend, clock: frozen, rng: seededRng(1), logger });
    const registration = await sleeper.register(orders);
    await registry.register({ ...orders, id: 'orders-2' });

    await clock.advance(60_000);
    const whileFrozen = await backend.getInstances('orders');
    await frozen.advance(1_000);

    expect(whileFrozen.map(({ id }) => id)).toEqual(['orders-2']);
    expect(await backend.getInstances('orders')).toHaveLength(2);
    expect(registration.state.value).toBe('published');
  });

  it('gives way to a newer process of the same identity', async () => {
    const { clock, store, backend, registry } = setUpMemory();
    const newer = new ServiceRegistry({
      backend: new MemoryBackend({ store }),
      clock,
      rng: seededRng(2),
      logger,
    });
    const before = await registry.register(orders);

    const after = await newer.register({ ...orders, version: '2.0.0' });
    await clock.advance(60_000);
    await registry.close();

    expect(before.state.value).toBe('deregistered');
    expect(await backend.getInstances('orders')).toEqual([after.instance]);
  });

  it('keeps 1000 instances published, and takes them out again', async () => {
    const { clock, backend, registry } = setUpMemory();
    const ids = Array.from({ length: 1_000 }, (_, index) => `orders-${index}`);

    await Promise.all(ids.map((id) => registry.register({ ...orders, id })));
    await clock.advance(300_000);
    expect(await backend.getInstances('orders')).toHaveLength(1_000);

    await registry.close();
    expect(await backend.getInstances('orders')).toEqual([]);
  });
});

const logger = new RecordingLogger();

function setUpMemory() {
  const clock = new ManualClock();
  const store = new MemoryStore({ clock });
  const backend = new MemoryBackend({ store });
  const registry = new ServiceRegistry({ backend, clock, rng: seededRng(1), logger });
  return { clock, store, backend, registry };
}
