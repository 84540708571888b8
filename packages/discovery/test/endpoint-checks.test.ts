import { AdvancedHealthChecker, functionCheck } from '@sd/health';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DiscoveryClient, type DiscoveryClientOptions } from '../src/index.ts';
import { startClient } from './fixture.ts';

/** Instances on three ports, checked every second; those in `sick` fail. */
async function startChecked(clientOptions: Partial<DiscoveryClientOptions> = {}) {
  const sick = new Set<number>();
  const looks: number[] = [];
  const protocols = new Map<number, string | undefined>();
  const fixture = startClient();
  const healthChecker = new AdvancedHealthChecker({
    check: functionCheck('test', ({ port, protocol }) => {
      looks.push(port);
      protocols.set(port, protocol);
      return !sick.has(port);
    }),
    intervalMs: 1_000,
    clock: fixture.clock,
    rng: () => 0.5,
  });
  onTestFinished(() => healthChecker.close());
  const { backend, clock } = fixture;
  const options = { backend, clock, rng: () => 0.5, healthChecker, ...clientOptions };
  const [client, second] = [new DiscoveryClient(options), new DiscoveryClient(options)];
  onTestFinished(async () => {
    await client.close();
    await second.close();
  });
  for (const port of [1, 2, 3]) await fixture.publish('orders', { port });
  await client.getInstances('orders');
  return { ...fixture, client, second, healthChecker, sick, looks, protocols };
}

const patient = { attemptTimeoutMs: 60_000, deadlineMs: 60_000 };

describe('a client with a health checker', () => {
  it('calls instances before they were checked, when none was', async () => {
    const { client } = await startChecked();
    expect(await client.call('orders', () => 'ok')).toBe('ok');
  });

  it('leaves out who fails the check until they pass it again', async () => {
    const { client, clock, sick } = await startChecked();
    await clock.advance(1_000);
    expect(client.explain('orders')).toMatchObject({ healthy: 3, ejected: 0 });
    sick.add(2);
    await clock.advance(4_000);
    expect(client.explain('orders')).toMatchObject({ healthy: 2, ejected: 1 });
    expect(client.endpoints('orders')?.[1]?.reasons).toEqual({ registry: 'healthy', active: 'unhealthy' });
    sick.delete(2);
    await clock.advance(3_000);
    expect(client.explain('orders')).toMatchObject({ healthy: 3, ejected: 0 });
  });

  it('has a call that waits for room go to who passes the check again', async () => {
    const { client, clock, sick } = await startChecked({
      balancing: { maxInFlight: 1 },
      queue: { limit: 1, maxWaitMs: 10_000 },
    });
    await clock.advance(1_000);
    sick.add(2);
    await clock.advance(4_000);
    const ends: (() => void)[] = [];
    const busy = [1, 3].map(() =>
      client.call('orders', () => new Promise<void>((resolve) => ends.push(resolve)), patient),
    );
    const wentTo: number[] = [];
    const waits = client.call('orders', ({ instance }) => wentTo.push(instance.port));
    await clock.advance(0);

    sick.delete(2);
    await clock.advance(3_000);

    expect(wentTo).toEqual([2]);
    for (const end of ends) end();
    await Promise.all([...busy, waits]);
  });

  it('lets a new instance wait for its first pass', async () => {
    const { client, clock, publish } = await startChecked();
    await clock.advance(1_000);
    await publish('orders', { port: 4 });
    await clock.advance(100);
    expect(client.explain('orders')).toMatchObject({ healthy: 3, ejected: 1 });
    await clock.advance(1_000);
    expect(client.explain('orders')).toMatchObject({ healthy: 4 });
  });

  it('has each instance checked once, however many clients of the process watch it', async () => {
    const { second, clock, looks } = await startChecked();
    await second.getInstances('orders');
    await clock.advance(1_000);
    looks.length = 0;
    await clock.advance(10_000);
    expect(looks).toHaveLength(30);
  });

  it('checks an instance by the protocol that it has now', async () => {
    const { clock, protocols, publish } = await startChecked();
    const lease = await publish('orders', { port: 4, protocol: 'http' });
    await clock.advance(2_000);
    expect(protocols.get(4)).toBe('http');
    await lease.update({ ...lease.instance, protocol: 'https' });
    await clock.advance(2_000);
    expect(protocols.get(4)).toBe('https');
  });

  it('stops checking who has left, and everybody when it closes', async () => {
    const { client, second, clock, looks, publish } = await startChecked();
    await second.close();
    const lease = await publish('orders', { port: 4 });
    await clock.advance(2_000);
    await lease.release();
    await clock.advance(2_000);
    looks.length = 0;
    await clock.advance(2_000);
    expect(new Set(looks)).toEqual(new Set([1, 2, 3]));
    await client.close();
    looks.length = 0;
    await clock.advance(10_000);
    expect(looks).toEqual([]);
  });

  it('calls who comes unchecked, and hears of changes, when its checker was closed before it', async () => {
    const { client, clock, healthChecker, publish } = await startChecked();
    await clock.advance(1_000);
    const changes = client.watch('orders');
    await changes.next();
    healthChecker.close();

    const change = changes.next();
    await publish('orders', { port: 4 });
    await clock.advance(100);

    expect(client.explain('orders')).toMatchObject({ healthy: 4 });
    expect(await Promise.race([change, clock.advance(0)])).toMatchObject({ value: { added: [{ port: 4 }] } });
  });
});
