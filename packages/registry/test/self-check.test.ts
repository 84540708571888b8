import { follow, ManualClock, seededRng, type InstanceStatus } from '@sd/core';
import { healthEndpoints, SelfCheck } from '@sd/health';
import { MemoryBackend } from '@sd/memory';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ServiceRegistry } from '../src/index.ts';
import { orders, unavailable } from './fixture.ts';
import { RecordingLogger, ScriptedBackend } from './scripted-backend.ts';

describe('a registration that a SelfCheck publishes to', () => {
  it('shows consumers that a dependency failed, and that it recovered', async () => {
    const { clock, dependency, backend, registry, selfCheck } = setUp(new MemoryBackend());
    const seen: (InstanceStatus | undefined)[] = [];
    const view = follow(backend, 'orders', {
      clock,
      onChange: ({ instances }) => seen.push(instances[0]?.status),
    });
    onTestFinished(() => view.close());
    const registration = await registry.register({ ...orders, status: 'starting' });
    await clock.advance(100);
    selfCheck.publishTo(registration);
    await clock.advance(60_000);

    dependency.up = false;
    await clock.advance(60_000);
    dependency.up = true;
    await clock.advance(60_000);

    expect(seen).toEqual(['starting', 'healthy', 'unhealthy', 'healthy']);
  });

  it('stays out of service through all that the checks find, then shows it', async () => {
    const { clock, dependency, backend, registry, selfCheck } = setUp(new ScriptedBackend());
    const registration = await registry.register(orders);
    await clock.advance(0);
    selfCheck.publishTo(registration);
    await registration.update({ status: 'out-of-service' });

    for (const up of [false, true, false]) {
      dependency.up = up;
      await clock.advance(60_000);
      expect(backend.stored.get('orders-1')?.status).toBe('out-of-service');
    }
    expect(backend.requests).toEqual(['register orders-1', 'update orders-1']);

    await registration.update({ status: 'healthy' });
    expect(backend.stored.get('orders-1')?.status).toBe('unhealthy');
  });

  it('is told what the checks found while the store was down', async () => {
    const { clock, dependency, backend, registry, selfCheck } = setUp(new ScriptedBackend());
    const registration = await registry.register(orders);
    selfCheck.publishTo(registration);
    await clock.advance(0);
    backend.onUpdate = unavailable;

    for (const up of [false, true, false]) {
      dependency.up = up;
      await clock.advance(60_000);
    }
    backend.onUpdate = () => undefined;
    await clock.advance(15_000);

    expect(backend.stored.get('orders-1')?.status).toBe('unhealthy');
  });

  it('makes the process unready while it drains, and alive until the end', async () => {
    const { clock, registry, selfCheck, statusCodes, logger } = setUp(new ScriptedBackend());
    const registration = await registry.register(orders);
    selfCheck.publishTo(registration);
    expect(statusCodes()).toEqual({ live: 200, ready: 503 });
    await clock.advance(0);
    expect(statusCodes()).toEqual({ live: 200, ready: 200 });

    const draining = registration.drain();
    await clock.advance(1_000);
    expect(statusCodes()).toEqual({ live: 200, ready: 503 });

    await clock.advance(60_000);
    await draining;
    expect(statusCodes()).toEqual({ live: 200, ready: 503 });
    expect(logger.at('warn')).toEqual([]);
  });
});

/** A process with one dependency, checked every 10 s. */
function setUp<B extends MemoryBackend | ScriptedBackend>(backend: B) {
  const clock = new ManualClock();
  const logger = new RecordingLogger();
  const rng = seededRng(1);
  const registry = new ServiceRegistry({ backend, clock, rng, logger });
  const dependency = { up: true };
  const selfCheck = new SelfCheck({ checks: { database: () => dependency.up }, clock, rng, logger });
  onTestFinished(async () => {
    selfCheck.close();
    await registry.close();
  });
  const { handler } = healthEndpoints({ selfCheck });
  const statusCode = (url: string): number => {
    const response = { headersSent: false, statusCode: 0, setHeader: () => undefined, end: () => undefined };
    handler({ method: 'GET', url }, response);
    return response.statusCode;
  };
  const statusCodes = () => ({ live: statusCode('/health/live'), ready: statusCode('/health/ready') });
  return { backend, clock, dependency, logger, registry, selfCheck, statusCodes };
}
