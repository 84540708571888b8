import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ClosedError, ConfigValidationError, LeaseLostError } from '@sd/core';
import { describe, expect, it } from 'vitest';
import type { InstanceChanges } from '../src/index.ts';
import { orders, rejection, setUp, unavailable } from './fixture.ts';
import { answer } from './scripted-backend.ts';

describe('update', () => {
  it('resolves when the change is published', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    await clock.advance(5_000);

    await registration.update({ status: 'degraded', weight: 2, metadata: { commit: 'abc' }, zone: 'b' });

    expect(backend.stored.get('orders-1')).toEqual({
      ...registration.instance,
      status: 'degraded',
      weight: 2,
      metadata: { commit: 'abc' },
      zone: 'b',
      updatedAt: clock.now(),
      registeredAt: clock.now() - 5_000,
    });
  });

  it('leaves alone what is not given', async () => {
    const { registry } = setUp();
    const registration = await registry.register({ ...orders, zone: 'a', tags: ['blue'], weight: 4 });

    await registration.update({ zone: undefined, status: 'unhealthy' });

    expect(registration.instance).toMatchObject({ zone: 'a', tags: ['blue'], weight: 4 });
  });

  it.each([
    ['status', { status: null }, {}],
    ['signal', {}, { signal: 5 }],
    ['', {}, null],
  ])('refuses what is given and is none: %s', async (field, changes, options) => {
    const registration = await setUp().registry.register(orders);
    const updating = registration.update(changes as InstanceChanges, options as never);
    expect(await rejection(updating)).toMatchObject({ code: 'ERR_SD_CONFIG', field });
  });

  it('tells the store nothing when nothing changes', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register({ ...orders, tags: ['blue'] });
    const before = registration.instance;
    await clock.advance(5_000);

    await registration.update({ tags: ['blue'], status: 'healthy' });

    expect(backend.requests).toEqual(['register orders-1']);
    expect(registration.instance).toBe(before);
  });

  it('publishes the last of the changes that came while one was in flight', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    const slow = answer();
    backend.onUpdate = () => slow.promise;

    const first = registration.update({ weight: 10 });
    await clock.advance(0);
    const more = [20, 30, 40].map((weight) => registration.update({ weight }));
    slow.give();
    await Promise.all([first, ...more]);

    expect(backend.requests).toEqual(['register orders-1', 'update orders-1', 'update orders-1']);
    expect(backend.stored.get('orders-1')?.weight).toBe(40);
  });

  it('keeps trying while the store is down, and warns once', async () => {
    const { backend, clock, logger, registry } = setUp();
    const registration = await registry.register(orders);
    backend.onUpdate = unavailable;

    const updating = registration.update({ weight: 2 });
    await clock.advance(300_000);
    expect(registration.state.value).toBe('published');
    expect(backend.requests.length).toBeGreaterThan(30);
    expect(logger.at('warn')).toHaveLength(1);

    backend.onUpdate = () => undefined;
    await clock.advance(10_000);
    await updating;
    expect(backend.stored.get('orders-1')?.weight).toBe(2);
  });

  it('starts with short pauses again after it had worked', async () => {
    const { backend, clock, registry } = setUp({ rng: () => 0.999 });
    const registration = await registry.register(orders);
    backend.onUpdate = unavailable;
    const first = registration.update({ weight: 2 });
    await clock.advance(60_000);
    backend.onUpdate = () => undefined;
    await clock.advance(10_000);
    await first;

    backend.onUpdate = unavailable;
    const second = registration.update({ weight: 3 });
    await clock.advance(0);
    backend.onUpdate = () => undefined;
    await clock.advance(1_000);
    await second;

    expect(backend.stored.get('orders-1')?.weight).toBe(3);
  });

  it('registers again when the store has lost the instance meanwhile', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    backend.onUpdate = () => {
      throw new LeaseLostError('orders', 'orders-1', 'expired');
    };

    const updating = registration.update({ weight: 2 });
    await clock.advance(1_000);
    await updating;

    expect(backend.requests).toEqual(['register orders-1', 'update orders-1', 'register orders-1']);
    expect(backend.stored.get('orders-1')?.weight).toBe(2);
  });

  it.each([
    ['the id', 'id', { id: 'orders-2' }],
    ['the port', 'port', { port: 9090 }],
    ['the service', 'service', { service: 'payments' }],
    ['a status that there is not', 'status', { status: 'fine' }],
    ['a wrong weight', 'weight', { weight: Number.NaN }],
    ['nothing at all', '', undefined],
  ])('refuses %s', async (_what, field, changes) => {
    const { registry } = setUp();
    const registration = await registry.register(orders);
    const before = registration.instance;

    const error = await rejection(registration.update(changes as InstanceChanges));

    expect(error).toBeInstanceOf(ConfigValidationError);
    expect(error).toMatchObject({ field });
    expect(registration.instance).toBe(before);
  });

  it('is taken back when the store can never hold it', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    const refusal = refused('metadata');
    backend.onUpdate = () => Promise.reject(refusal);

    expect(await rejection(registration.update({ metadata: { long: 'x' } }))).toBe(refusal);
    await clock.advance(60_000);

    expect(registration.instance.metadata).toEqual({});
    expect(backend.requests).toEqual(['register orders-1', 'update orders-1']);
  });

  it('is taken back likewise when the store was lost meanwhile', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    const refusal = refused('metadata');
    backend.onRegister = ({ metadata }) =>
      metadata['long'] === undefined ? undefined : Promise.reject(refusal);

    backend.lose('orders-1', 'expired');
    const updating = rejection(registration.update({ metadata: { long: 'x' } }));
    await clock.advance(5_000);

    expect(await updating).toBe(refusal);
    expect(registration.state.value).toBe('published');
    expect(backend.stored.get('orders-1')?.metadata).toEqual({});
  });

  it('stops waiting when its signal aborts, but still holds', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    backend.onUpdate = unavailable;
    const abort = new AbortController();

    const updating = registration.update({ weight: 2 }, { signal: abort.signal });
    abort.abort(new Error('enough'));
    expect(await rejection(updating)).toEqual(new Error('enough'));

    backend.onUpdate = () => undefined;
    await clock.advance(10_000);
    expect(backend.stored.get('orders-1')?.weight).toBe(2);
  });

  it('is forgotten, as far as the waiting goes, by whom gave it up', async () => {
    setFlagsFromString('--expose-gc');
    const heapUsed = (): number => {
      runInNewContext('gc()');
      return process.memoryUsage().heapUsed;
    };
    const { backend, registry } = setUp();
    const registration = await registry.register(orders);
    backend.onUpdate = unavailable;
    const giveUp = async (): Promise<void> => {
      const abort = new AbortController();
      const updating = rejection(registration.update({ weight: 2 }, { signal: abort.signal }));
      abort.abort();
      await updating;
    };
    await giveUp();
    const before = heapUsed();

    for (let time = 1; time <= 1_000; time += 1) await giveUp();

    expect(heapUsed() - before).toBeLessThan(1_000_000); // of 4.4 kB each it would be more
  });

  it('rejects when the instance is deregistered meanwhile', async () => {
    const { backend, registry } = setUp();
    const registration = await registry.register(orders);
    backend.onUpdate = unavailable;

    const updating = rejection(registration.update({ weight: 2 }));
    await registration.deregister();

    expect(await updating).toBeInstanceOf(ClosedError);
    expect(await rejection(registration.update({ weight: 3 }))).toBeInstanceOf(ClosedError);
  });

  it('rejects when another process takes the id meanwhile', async () => {
    const { backend, registry } = setUp();
    const registration = await registry.register(orders);
    backend.onUpdate = unavailable;

    const updating = rejection(registration.update({ weight: 2 }));
    backend.lose('orders-1', 'replaced');

    expect(await updating).toMatchObject({ code: 'ERR_SD_LEASE_LOST', reason: 'replaced' });
  });
});

function refused(field: string): ConfigValidationError {
  return new ConfigValidationError('Consul', [{ field, received: 'much', expected: 'less' }]);
}
