import { ClosedError } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { orders, rejection, setUp, unavailable } from './fixture.ts';
import { answer, never } from './scripted-backend.ts';

describe('deregister', () => {
  it('takes the instance out of the store and leaves nothing behind', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);

    await registration.deregister();

    expect(backend.stored.size).toBe(0);
    expect(registration.state.value).toBe('deregistered');
    expect(registry.registrations).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('does nothing the second time', async () => {
    const { backend, registry } = setUp();
    const registration = await registry.register(orders);

    await Promise.all([registration.deregister(), registration.deregister()]);
    await registration[Symbol.asyncDispose]();

    expect(backend.requests).toEqual(['register orders-1', 'release orders-1']);
  });

  it('resolves when the store is down, and says how long the instance stays', async () => {
    const { backend, logger, registry } = setUp();
    const registration = await registry.register(orders);
    backend.onRelease = unavailable;

    await registration.deregister();

    expect(registration.state.value).toBe('deregistered');
    expect(logger.at('warn')).toEqual([
      'warn: Could not deregister "orders-1" of service "orders"; it stays in the store for its ttl of 30000 ms',
    ]);
  });

  it('resolves after 5 s when the store never answers', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    backend.onRelease = never;
    let done = false;

    const deregistering = registration.deregister().then(() => (done = true));
    await clock.advance(4_999);
    expect(done).toBe(false);
    await clock.advance(1);
    await deregistering;

    expect(registration.state.value).toBe('deregistered');
    expect(clock.pendingTimers).toBe(0);
  });

  it('waits for an update in flight, which could otherwise publish the instance again', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    const slow = answer();
    backend.onUpdate = () => slow.promise;

    const updating = rejection(registration.update({ weight: 2 }));
    await clock.advance(0);
    const deregistering = registration.deregister();
    await clock.advance(0);
    expect(backend.requests).not.toContain('release orders-1');
    slow.give();
    await deregistering;

    expect(await updating).toBeInstanceOf(ClosedError);
    expect(backend.stored.size).toBe(0);
  });

  it('waits no longer than 1 s for it', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    backend.onUpdate = never;

    const updating = rejection(registration.update({ weight: 2 }));
    await clock.advance(0);
    const deregistering = registration.deregister();
    await clock.advance(1_000);
    await deregistering;

    expect(await updating).toBeInstanceOf(ClosedError);
    expect(backend.stored.size).toBe(0);
  });

  it('ends the return of a lost registration', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    backend.onRegister = unavailable;
    backend.lose('orders-1', 'expired');
    await clock.advance(30_000);

    await registration.deregister();
    const requests = backend.requests.length;
    backend.onRegister = () => undefined;
    await clock.advance(60_000);

    expect(backend.requests).toHaveLength(requests);
    expect(clock.pendingTimers).toBe(0);
  });

  it('leaves no orphan when the registration is just on its way back', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    const slow = answer();
    backend.onRegister = () => slow.promise;
    backend.lose('orders-1', 'expired');
    await clock.advance(1_000);

    const deregistering = registration.deregister();
    slow.give();
    await deregistering;

    expect(backend.stored.size).toBe(0);
  });
});

describe('close', () => {
  it('deregisters everything, and leaves the backend to its owner', async () => {
    const { backend, clock, registry } = setUp();
    await registry.register(orders);
    await registry.register({ ...orders, service: 'payments', id: 'payments-1' });

    await registry.close();
    await registry[Symbol.asyncDispose]();

    expect(backend.stored.size).toBe(0);
    expect(backend.requests.filter((request) => request.startsWith('release'))).toHaveLength(2);
    expect(backend.closed).toBe(false);
    expect(clock.pendingTimers).toBe(0);
  });

  it('makes a later register reject', async () => {
    const { backend, registry } = setUp();
    await registry.close();

    expect(await rejection(registry.register(orders))).toBeInstanceOf(ClosedError);
    expect(backend.requests).toEqual([]);
  });

  it('makes a register in flight reject, and leaves no orphan', async () => {
    const { backend, registry } = setUp();
    const slow = answer();
    backend.onRegister = () => slow.promise;

    const registering = rejection(registry.register(orders));
    const closing = registry.close();
    slow.give();
    await closing;

    expect(await registering).toBeInstanceOf(ClosedError);
    expect(backend.requests).toEqual(['register orders-1', 'release orders-1']);
    expect(backend.stored.size).toBe(0);
  });

  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12])(
    'leaves no orphan when it comes %i microtasks after the answer of the store',
    async (microtasks) => {
      const { backend, registry } = setUp();
      const slow = answer();
      backend.onRegister = () => slow.promise;

      const registering = registry.register(orders).catch(() => undefined);
      slow.give();
      for (let turn = 0; turn < microtasks; turn++) await Promise.resolve();
      await registry.close();
      await registering;

      expect(backend.stored.size).toBe(0);
      expect(backend.requests).toEqual(['register orders-1', 'release orders-1']);
    },
  );

  it('waits no longer than 5 s for a store that does not answer, and removes what comes of it later', async () => {
    const { backend, clock, registry } = setUp();
    const slow = answer();
    backend.onRegister = () => slow.promise;

    const registering = rejection(registry.register(orders));
    const closing = registry.close();
    expect(await registering).toBeInstanceOf(ClosedError);
    await clock.advance(5_000);
    await closing;
    slow.give();
    await clock.advance(0);

    expect(backend.requests).toEqual(['register orders-1', 'release orders-1']);
    expect(clock.pendingTimers).toBe(0);
  });
});
