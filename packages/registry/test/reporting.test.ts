import { ClosedError, ConfigValidationError } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { orders, rejection, setUp, unavailable } from './fixture.ts';
import { answer } from './scripted-backend.ts';

describe('reportHealth', () => {
  it('resolves when what checks found is published', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    await clock.advance(5_000);

    await registration.reportHealth('unhealthy');

    expect(backend.stored.get('orders-1')).toEqual({
      ...registration.instance,
      status: 'unhealthy',
      updatedAt: clock.now(),
      registeredAt: clock.now() - 5_000,
    });
  });

  it('tells the store nothing when nothing changes', async () => {
    const { backend, registry } = setUp();
    const registration = await registry.register(orders);

    await registration.reportHealth('healthy');
    await registration.reportHealth('degraded');
    await registration.reportHealth('degraded');

    expect(backend.requests).toEqual(['register orders-1', 'update orders-1']);
  });

  it('gives each published change its own time, also when it goes back to what it was', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    await registration.reportHealth('unhealthy');
    await clock.advance(5_000);

    await registration.reportHealth('healthy');

    expect(backend.stored.get('orders-1')).toMatchObject({ status: 'healthy', updatedAt: clock.now() });
  });

  it('publishes the last of the reports that came while one was in flight', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    const slow = answer();
    backend.onUpdate = () => slow.promise;

    const first = registration.reportHealth('degraded');
    await clock.advance(0);
    const more = [registration.reportHealth('unhealthy'), registration.reportHealth('healthy')];
    slow.give();
    await Promise.all([first, ...more]);

    expect(backend.requests).toEqual(['register orders-1', 'update orders-1', 'update orders-1']);
    expect(backend.stored.get('orders-1')?.status).toBe('healthy');
  });

  it('ends the starting of a registration', async () => {
    const { backend, registry } = setUp();
    const registration = await registry.register({ ...orders, status: 'starting' });

    await registration.reportHealth('healthy');
    expect(backend.stored.get('orders-1')?.status).toBe('healthy');

    await registration.update({ weight: 2 });
    expect(backend.stored.get('orders-1')?.status).toBe('healthy');
  });

  it('can say that the process is starting, though nobody else did', async () => {
    const { backend, registry } = setUp();
    const registration = await registry.register(orders);
    await registration.reportHealth('starting');
    expect(backend.stored.get('orders-1')?.status).toBe('starting');
  });

  it('is not mistaken for the word of the owner when something else is updated', async () => {
    const { backend, registry } = setUp();
    const registration = await registry.register(orders);
    await registration.reportHealth('unhealthy');

    await registration.update({ weight: 2 });
    expect(backend.stored.get('orders-1')).toMatchObject({ status: 'unhealthy', weight: 2 });

    await registration.reportHealth('healthy');
    expect(backend.stored.get('orders-1')).toMatchObject({ status: 'healthy', weight: 2 });
  });

  it('holds after a lost registration has come back', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    await registration.reportHealth('unhealthy');

    backend.lose('orders-1', 'expired');
    await clock.advance(1_000);

    expect(backend.stored.get('orders-1')?.status).toBe('unhealthy');
  });

  it.each(['draining', 'out-of-service', 'unknown', 'fine', null])(
    'refuses what no check can find: %s',
    async (status) => {
      const { backend, registry } = setUp();
      const registration = await registry.register(orders);

      const error = await rejection(registration.reportHealth(status as never));

      expect(error).toMatchObject({ code: 'ERR_SD_CONFIG', field: 'status' });
      expect(backend.requests).toEqual(['register orders-1']);
    },
  );

  it('refuses options that are none', async () => {
    const registration = await setUp().registry.register(orders);
    const error = await rejection(registration.reportHealth('healthy', { signal: 5 as never }));
    expect(error).toMatchObject({ code: 'ERR_SD_CONFIG', field: 'signal' });
  });

  it('stops waiting when its signal aborts, but still holds', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    backend.onUpdate = unavailable;
    const abort = new AbortController();

    const reporting = registration.reportHealth('unhealthy', { signal: abort.signal });
    abort.abort(new Error('enough'));
    expect(await rejection(reporting)).toEqual(new Error('enough'));

    backend.onUpdate = () => undefined;
    await clock.advance(10_000);
    expect(backend.stored.get('orders-1')?.status).toBe('unhealthy');
  });

  it('rejects once the instance is deregistered', async () => {
    const registration = await setUp().registry.register(orders);
    await registration.deregister();
    expect(await rejection(registration.reportHealth('unhealthy'))).toBeInstanceOf(ClosedError);
  });

  it('rejects once another process has the id', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    backend.lose('orders-1', 'replaced');
    await clock.advance(0);

    expect(await rejection(registration.reportHealth('unhealthy'))).toMatchObject({ reason: 'replaced' });
  });
});

describe('what an operator says', () => {
  it.each(['out-of-service', 'draining'] as const)('is not undone by health reports: %s', async (status) => {
    const { backend, registry } = setUp();
    const registration = await registry.register(orders);
    await registration.update({ status });

    for (const found of ['starting', 'unhealthy', 'degraded', 'healthy'] as const) {
      await registration.reportHealth(found);
      expect(backend.stored.get('orders-1')?.status).toBe(status);
    }

    expect(backend.requests).toEqual(['register orders-1', 'update orders-1']);
  });

  it('is not undone by a return after a loss, nor by an update of something else', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    await registration.update({ status: 'out-of-service' });
    await registration.reportHealth('degraded');

    backend.lose('orders-1', 'store-lost');
    await clock.advance(1_000);
    expect(backend.stored.get('orders-1')?.status).toBe('out-of-service');

    await registration.update({ weight: 2 });
    expect(backend.stored.get('orders-1')).toMatchObject({ status: 'out-of-service', weight: 2 });
  });

  it('gives way, when taken back, to what checks found meanwhile', async () => {
    const { backend, registry } = setUp();
    const registration = await registry.register(orders);
    await registration.update({ status: 'out-of-service' });
    await registration.reportHealth('unhealthy');

    await registration.update({ status: 'healthy' });
    expect(backend.stored.get('orders-1')?.status).toBe('unhealthy');

    await registration.reportHealth('healthy');
    expect(backend.stored.get('orders-1')?.status).toBe('healthy');
  });

  it('counts where it is worse than what checks find, and only there', async () => {
    const { backend, registry } = setUp();
    const registration = await registry.register(orders);
    await registration.reportHealth('healthy');

    await registration.update({ status: 'degraded' });
    expect(backend.stored.get('orders-1')?.status).toBe('degraded');

    await registration.reportHealth('unhealthy');
    expect(backend.stored.get('orders-1')?.status).toBe('unhealthy');

    await registration.reportHealth('healthy');
    expect(backend.stored.get('orders-1')?.status).toBe('degraded');
  });

  it('holds from the registration on', async () => {
    const { backend, registry } = setUp();
    const registration = await registry.register({ ...orders, status: 'out-of-service' });
    await registration.reportHealth('healthy');
    expect(backend.stored.get('orders-1')?.status).toBe('out-of-service');
  });

  it('does not end a drain', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    const draining = registration.drain();

    const saying = [registration.update({ status: 'out-of-service' }), registration.reportHealth('healthy')];
    await clock.advance(0);
    await Promise.all(saying);

    expect(backend.stored.get('orders-1')?.status).toBe('draining');
    await clock.advance(2_000);
    await draining;
  });
});

describe('a store that refuses a content', () => {
  it('does not cost what checks found meanwhile', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    const refusal = refused('metadata');
    backend.onUpdate = ({ metadata }) =>
      metadata['long'] === undefined ? undefined : Promise.reject(refusal);

    const updating = rejection(registration.update({ metadata: { long: 'x' } }));
    await Promise.allSettled([registration.reportHealth('unhealthy')]);
    await clock.advance(0);

    expect(await updating).toBe(refusal);
    expect(backend.stored.get('orders-1')).toMatchObject({ status: 'unhealthy', metadata: {} });
    expect(registration.instance).toEqual(backend.stored.get('orders-1'));
  });

  it('takes back the status that came with it', async () => {
    const { backend, registry } = setUp();
    const registration = await registry.register(orders);
    backend.onUpdate = ({ metadata }) =>
      metadata['long'] === undefined ? undefined : Promise.reject(refused('metadata'));
    await rejection(registration.update({ status: 'out-of-service', metadata: { long: 'x' } }));

    await registration.reportHealth('degraded');

    expect(backend.stored.get('orders-1')?.status).toBe('degraded');
  });

  it('is not asked again for a report that it refused', async () => {
    const { backend, clock, registry } = setUp();
    const registration = await registry.register(orders);
    const refusal = refused('status');
    backend.onUpdate = () => Promise.reject(refusal);

    expect(await rejection(registration.reportHealth('degraded'))).toBe(refusal);
    await clock.advance(60_000);

    expect(registration.instance.status).toBe('healthy');
    expect(backend.requests).toEqual(['register orders-1', 'update orders-1']);
  });
});

function refused(field: string): ConfigValidationError {
  return new ConfigValidationError('Consul', [{ field, received: 'much', expected: 'less' }]);
}
