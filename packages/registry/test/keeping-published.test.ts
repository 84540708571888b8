import { AccessDeniedError, ClosedError, ManualClock, seededRng, type LeaseLossReason } from '@sd/core';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ServiceRegistry } from '../src/index.ts';
import { orders, setUp, unavailable } from './fixture.ts';
import { never, RecordingLogger, ScriptedBackend } from './scripted-backend.ts';

describe('a lost registration', () => {
  it.each<LeaseLossReason>(['expired', 'deleted', 'store-lost'])(
    'is published again, once, when it was lost as %s',
    async (reason) => {
      const { backend, clock, registry } = setUp();
      const registration = await registry.register(orders);

      backend.lose('orders-1', reason);
      await clock.advance(60_000);

      expect(backend.requests).toEqual(['register orders-1', 'register orders-1']);
      expect(backend.stored.get('orders-1')).toEqual(registration.instance);
      expect(registration.state.value).toBe('published');
    },
  );

  it('comes back with what is wanted now and when it was first registered', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    const { registeredAt } = registration.instance;
    await clock.advance(1_000);
    await registration.update({ weight: 5 });
    const { updatedAt } = registration.instance;

    backend.lose('orders-1', 'expired');
    await clock.advance(60_000);

    expect(backend.stored.get('orders-1')).toMatchObject({ weight: 5, registeredAt, updatedAt });
  });

  it('includes changes that were made while it was lost', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);

    backend.lose('orders-1', 'store-lost');
    const updating = registration.update({ status: 'degraded' });
    await clock.advance(1_000);
    await updating;

    expect(backend.requests).toEqual(['register orders-1', 'register orders-1']);
    expect(backend.stored.get('orders-1')?.status).toBe('degraded');
  });

  it('is tried for ever, at most a third of the ttl apart', async () => {
    const { backend, clock, logger, registry } = setUp();
    const registration = await registry.register(orders);
    const triedAt: number[] = [];
    backend.onRegister = () => {
      triedAt.push(clock.monotonic());
      return unavailable();
    };

    backend.lose('orders-1', 'expired');
    await clock.advance(24 * 3_600_000);

    const pauses = triedAt.slice(1).map((at, index) => at - triedAt[index]!);
    expect(Math.max(...pauses)).toBeLessThanOrEqual(10_000);
    expect(clock.monotonic() - triedAt.at(-1)!).toBeLessThanOrEqual(10_000);
    expect(logger.at('warn')).toHaveLength(2); // lost; unavailable
    expect(registration.state.value).toBe('lost');
  });

  it('is tried no more than 15 s apart, however long the ttl', async () => {
    const { backend, clock, registry } = setUp({ ttlMs: 3_600_000, rng: () => 0.999 });
    await registry.register(orders);
    backend.onRegister = unavailable;
    backend.lose('orders-1', 'expired');
    await clock.advance(600_000);
    const tries = backend.requests.length;

    await clock.advance(15_000);

    expect(backend.requests).toHaveLength(tries + 1);
  });

  it('waits longer and longer when it is lost again and again', async () => {
    const { backend, clock, registry } = setUp({ rng: () => 0.999 });
    await registry.register(orders);
    const triedAt: number[] = [];
    backend.onRegister = () => {
      triedAt.push(Math.round(clock.monotonic()));
      clock.setTimer(() => backend.lose('orders-1', 'deleted'), 0);
    };

    backend.lose('orders-1', 'deleted');
    await clock.advance(20_000);

    expect(triedAt).toEqual([999, 2_997, 6_993, 14_985]);
  });

  it('comes back as fast as the first time when it had lasted', async () => {
    const { backend, clock, registry } = setUp({ rng: () => 0.999 });
    const registration = await registry.register(orders);
    backend.onRegister = unavailable;
    backend.lose('orders-1', 'expired');
    await clock.advance(60_000);
    backend.onRegister = () => undefined;
    await clock.advance(20_000);

    backend.lose('orders-1', 'expired');
    await clock.advance(1_000);

    expect(registration.state.value).toBe('published');
  });

  it('comes back when denied access is granted again, and says so as an error', async () => {
    const { backend, clock, logger, registry } = setUp();
    const registration = await registry.register(orders);
    backend.onRegister = () => Promise.reject(new AccessDeniedError('scripted', 'the token has expired'));
    backend.lose('orders-1', 'expired');
    await clock.advance(60_000);
    expect(logger.at('error')).toHaveLength(1);

    backend.onRegister = () => undefined;
    await clock.advance(10_000);

    expect(registration.state.value).toBe('published');
  });

  it('reports its states in order', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    const states: string[] = [];
    registration.onStateChange(({ value }) => states.push(value));
    const stop = registration.onStateChange(() => states.push('not this'));
    stop();

    backend.lose('orders-1', 'expired');
    await clock.advance(1_000);
    await registration.deregister();

    expect(states).toEqual(['lost', 'published', 'deregistered']);
  });

  it('reports its states in order also when a listener changes them', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    const heard: string[] = [];
    registration.onStateChange(({ value }) => {
      if (value === 'lost') void registration.drain({ timeoutMs: 100 });
    });
    registration.onStateChange(({ value }) => heard.push(value));

    backend.lose('orders-1', 'expired');
    await clock.advance(1_000);

    expect(heard).toEqual(['lost', 'draining', 'deregistered']);
  });

  it('carries the reason in its state', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);

    backend.lose('orders-1', 'deleted');
    await clock.advance(0);

    expect(registration.state).toMatchObject({
      value: 'lost',
      since: clock.now(),
      error: { code: 'ERR_SD_LEASE_LOST', reason: 'deleted' },
    });
  });

  it('survives a listener that throws', async () => {
    const { backend, clock, logger, registry } = setUp();
    const registration = await registry.register(orders);
    registration.onStateChange(() => {
      throw new Error('boom');
    });

    backend.lose('orders-1', 'expired');
    await clock.advance(1_000);

    expect(registration.state.value).toBe('published');
    expect(logger.at('error')).toHaveLength(2);
  });

  it('survives a logger that throws', async () => {
    const printed = vi.spyOn(console, 'warn').mockReturnValue(undefined);
    onTestFinished(() => printed.mockRestore());
    const broken = (): never => {
      throw new TypeError('Converting circular structure to JSON');
    };
    const logger = { debug: broken, info: broken, warn: broken, error: broken };
    const { backend, clock, registry } = setUp({ logger });
    const registration = await registry.register(orders);

    backend.lose('orders-1', 'expired');
    await clock.advance(60_000);

    expect(registration.state.value).toBe('published');
    expect(backend.stored.size).toBe(1);
  });

  it('is not published any more once the backend is closed, and says so', async () => {
    const { backend, clock, logger, registry } = setUp();
    const registration = await registry.register(orders);
    backend.onRegister = () => Promise.reject(new ClosedError('ScriptedBackend'));

    backend.lose('orders-1', 'store-lost');
    await clock.advance(60_000);

    expect(registration.state.value).toBe('deregistered');
    expect(backend.requests).toHaveLength(2);
    expect(logger.at('error')).toHaveLength(1);
  });
});

describe('100 providers that are lost together', () => {
  it('spread their return over the jitter window', async () => {
    const clock = new ManualClock();
    const backend = new ScriptedBackend();
    const rng = seededRng(35);
    const ids = Array.from({ length: 100 }, (_, index) => `orders-${index}`);
    const registries = ids.map(
      () => new ServiceRegistry({ backend, clock, rng, logger: new RecordingLogger() }),
    );
    await Promise.all(registries.map((registry, index) => registry.register({ ...orders, id: ids[index] })));
    const quarters = [0, 0, 0, 0];
    const lostAt = 60_000;
    backend.onRegister = () => {
      const quarter = Math.floor((clock.monotonic() - lostAt) / 250);
      quarters[quarter] = (quarters[quarter] ?? 0) + 1;
    };
    await clock.advance(lostAt);

    for (const id of ids) backend.lose(id, 'store-lost');
    await clock.advance(1_000);

    expect(backend.stored.size).toBe(100);
    expect(Math.min(...quarters)).toBeGreaterThanOrEqual(15);
  });
});

describe('a registration that another process replaced', () => {
  it('does not fight: it stays replaced and says what to do', async () => {
    const { backend, clock, logger, registry } = setUp();
    const registration = await registry.register(orders);

    backend.lose('orders-1', 'replaced');
    await clock.advance(3_600_000);

    expect(registration.state).toMatchObject({ value: 'replaced', error: { reason: 'replaced' } });
    expect(backend.requests).toEqual(['register orders-1']);
    expect(logger.at('error')).toEqual([
      'error: Another process registered "orders-1" of service "orders"; this one is not published. ' +
        'Give each process an id or a port of its own, and restart this one.',
    ]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('stays replaced as well when its backend brought a copy of @sd/core of its own', async () => {
    const { backend, clock, registry } = setUp();
    vi.resetModules();
    const { LeaseLostError } = await import('@sd/core');
    const lost = new AbortController();
    const register = backend.register.bind(backend);
    backend.register = async (instance, options) =>
      Object.defineProperty(await register(instance, options), 'lost', { value: lost.signal });
    const registration = await registry.register(orders);

    lost.abort(new LeaseLostError('orders', 'orders-1', 'replaced'));
    await clock.advance(3_600_000);

    expect(registration.state.value).toBe('replaced');
    expect(backend.requests).toEqual(['register orders-1']);
  });

  it('refuses updates, and deregisters without touching the other one', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    backend.lose('orders-1', 'replaced');
    await clock.advance(0);

    await expect(registration.update({ weight: 2 })).rejects.toMatchObject({ reason: 'replaced' });
    await registration.deregister();

    expect(registration.state.value).toBe('deregistered');
    expect(backend.requests).toEqual(['register orders-1']);
  });

  it('can be registered anew on purpose', async () => {
    const { backend, clock, registry } = setUp();
    const replaced = await registry.register(orders);
    backend.lose('orders-1', 'replaced');
    await clock.advance(0);

    const again = await registry.register(orders);
    await replaced.deregister();

    expect(again.state.value).toBe('published');
    expect(registry.registrations).toEqual([again]);
    expect(backend.stored.has('orders-1')).toBe(true);
  });

  it('is published again when the other one was a late try of its own', async () => {
    const { backend, clock, registry } = setUp();
    let tries = 0;
    // The first try is given up after 10 s and goes through at 60 s: then it replaces the second one.
    backend.onRegister = () => {
      tries += 1;
      return tries === 1 ? new Promise((resolve) => clock.setTimer(resolve, 60_000)) : undefined;
    };

    const registering = registry.register(orders);
    await clock.advance(120_000);

    expect((await registering).state.value).toBe('published');
    expect(backend.stored.has('orders-1')).toBe(true);
    expect(tries).toBe(3);
  });
});

describe('a backend that misbehaves', () => {
  it.each([
    ['throws before it returns a promise', () => unavailable()],
    ['throws something that is no error', () => answeringWith('no')],
    ['throws an error of its own', () => Promise.reject(new TypeError('undefined is not a function'))],
    ['never answers', never],
  ])('neither ends the process nor the registration: it %s', async (_what, misbehave) => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    backend.onRegister = misbehave;
    backend.onUpdate = misbehave;

    const updating = registration.update({ weight: 2 });
    await clock.advance(60_000);
    backend.lose('orders-1', 'expired');
    await clock.advance(60_000);
    backend.onRegister = () => undefined;
    await clock.advance(20_000);
    await updating;

    expect(backend.stored.get('orders-1')?.weight).toBe(2);
  });

  it('may reject long after it was given up', async () => {
    const { backend, clock, registry } = setUp();
    backend.onRegister = () =>
      new Promise((_resolve, reject) => clock.setTimer(() => reject(new Error('late')), 60_000));

    const registering = registry.register(orders);
    await clock.advance(11_000);
    backend.onRegister = () => undefined;
    await clock.advance(120_000);

    expect((await registering).state.value).toBe('published');
  });
});

function answeringWith(reason: unknown): Promise<void> {
  return new Promise((_resolve, reject) => reject(reason));
}
