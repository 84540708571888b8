import { sleep } from '@sd/core';
import { describe, expect, it } from 'vitest';
import type { Attempt, CallOptions, DiscoveryClientOptions } from '../src/index.ts';
import { failWith, hang, startClient } from './fixture.ts';

const portOf = ({ instance }: Attempt): number => instance.port;

/** Three instances; `call` makes an idempotent call and says whose attempts it took. */
async function startOrders(options: Partial<DiscoveryClientOptions> = {}) {
  const fixture = startClient({ strategy: 'round-robin', ...options });
  for (const port of [1, 2, 3]) await fixture.publish('orders', { port, id: `orders-${port}` });
  await fixture.client.getInstances('orders');
  const call = async (
    answer: (attempt: Attempt) => unknown,
    callOptions: CallOptions = {},
  ): Promise<readonly number[]> => {
    const ports: number[] = [];
    const result = fixture.client.call(
      'orders',
      (attempt) => {
        ports.push(attempt.instance.port);
        return answer(attempt);
      },
      { idempotent: true, ...callOptions },
    );
    const over = new AbortController();
    const end = (): void => over.abort();
    result.then(end, end);
    while (!over.signal.aborted) await fixture.clock.advance(10);
    await result;
    return ports;
  };
  return { ...fixture, call };
}

const busy = Object.assign(new Error('busy'), { code: 'ECONNRESET' });
const secondFails = (attempt: Attempt): number => {
  if (portOf(attempt) === 2) throw busy;
  return portOf(attempt);
};

describe('an endpoint that fails', () => {
  it('is out of rotation after five failures in a row, and probed with one call after 5 s', async () => {
    const { client, call, clock } = await startOrders();
    for (let turn = 0; turn < 20; turn += 1) await call(secondFails);
    expect(client.explain('orders')).toMatchObject({ healthy: 2, ejected: 1 });
    expect(client.health('orders')).toMatchObject({ status: 'degraded' });
    expect(client.endpoints('orders')?.[1]).toMatchObject({
      status: 'unhealthy',
      reasons: { registry: 'healthy', passive: 'unhealthy' },
    });
    for (let turn = 0; turn < 5; turn += 1) expect(await call(secondFails)).not.toContain(2);

    await clock.advance(6_000);
    const afterwards = [];
    for (let turn = 0; turn < 10; turn += 1) afterwards.push(...(await call(secondFails)));
    expect(afterwards.filter((port) => port === 2)).toHaveLength(1);
  });

  it('is not probed with a call that has no retries, while there may be another', async () => {
    const { call, clock } = await startOrders();
    for (let turn = 0; turn < 20; turn += 1) await call(secondFails);
    await clock.advance(5_500);
    for (let turn = 0; turn < 10; turn += 1) expect(await call(secondFails, { retries: 0 })).not.toContain(2);
    expect(await call(secondFails)).toContain(2);
  });

  it('is no answer to who asks for an instance alone, and its probe is left to a call', async () => {
    const { client, call, clock } = await startOrders();
    for (let turn = 0; turn < 20; turn += 1) await call(secondFails);
    await clock.advance(6_000);

    const given = [];
    for (let turn = 0; turn < 9; turn += 1) given.push((await client.getInstance('orders')).port);

    expect(given).not.toContain(2);
    expect([...(await call(portOf)), ...(await call(portOf)), ...(await call(portOf))]).toContain(2);
  });

  it('is back when its probe is answered', async () => {
    const { client, call, clock } = await startOrders();
    for (let turn = 0; turn < 20; turn += 1) await call(secondFails);
    await clock.advance(6_000);
    expect(await call(portOf)).toEqual([2]);
    expect(client.explain('orders')).toMatchObject({ healthy: 3, ejected: 0 });
  });

  it('is spared at once when it says for how long', async () => {
    const { client, clock } = await startOrders();
    const options = {
      idempotent: true,
      classify: () => ({ outcome: 'overload', retryable: true, retryAfterMs: 3_000 }) as const,
    };
    const ports: number[] = [];
    const calls = Array.from({ length: 6 }, () =>
      client.call(
        'orders',
        (attempt) => {
          ports.push(portOf(attempt));
          return secondFails(attempt);
        },
        options,
      ),
    );
    await clock.advance(100);
    await Promise.all(calls);
    expect(client.explain('orders')).toMatchObject({ healthy: 2, ejected: 1 });
    expect(ports.filter((port) => port === 2).length).toBeLessThanOrEqual(2);
  });

  it('does not get another out of rotation for what is the fault of the caller', async () => {
    const { client, call } = await startOrders();
    for (let turn = 0; turn < 30; turn += 1) {
      await expect(
        call(() => {
          throw new TypeError('a bug of the caller');
        }),
      ).rejects.toThrow('a bug');
    }
    expect(client.explain('orders')).toMatchObject({ healthy: 3 });
  });
});

describe('an endpoint that hangs', () => {
  it('is out of rotation within two seconds, at the cost of hedges', async () => {
    const { client, clock } = await startOrders();
    const answer = async (attempt: Attempt): Promise<void> =>
      portOf(attempt) === 2 && clock.monotonic() > 1_000 ? hang() : sleep(clock, 10);
    const failures: unknown[] = [];
    for (let time = 0; time <= 3_010; time += 10) {
      client.call('orders', answer, { idempotent: true }).catch((error: unknown) => failures.push(error));
      await clock.advance(10);
    }
    expect(client.explain('orders')).toMatchObject({ healthy: 2, ejected: 1 });
    await clock.advance(15_000);
    expect(failures).toEqual([]);
  });

  it('is out of rotation without hedges too', async () => {
    const { client, clock } = await startOrders({ hedging: false });
    const answer = async (attempt: Attempt): Promise<void> =>
      portOf(attempt) === 2 && clock.monotonic() > 1_000 ? hang() : sleep(clock, 10);
    const failures: unknown[] = [];
    for (let time = 0; time < 4_000; time += 10) {
      client.call('orders', answer).catch((error: unknown) => failures.push(error));
      await clock.advance(10);
    }
    expect(client.explain('orders')).toMatchObject({ healthy: 2, ejected: 1 });
    await clock.advance(15_000);
    expect(failures.length).toBeLessThan(100); // those of the first second or two: they are not idempotent
  });
});

describe('an endpoint that is slow', () => {
  it('is degraded, and well again when it is', async () => {
    const { client, clock } = await startOrders({ hedging: false });
    let slowness = 300;
    const answer = (attempt: Attempt): Promise<void> => sleep(clock, portOf(attempt) === 2 ? slowness : 10);
    const run = async (ms: number): Promise<void> => {
      for (let time = 0; time < ms; time += 10) {
        void client.call('orders', answer, { idempotent: true });
        await clock.advance(10);
      }
    };
    await run(5_000);
    expect(client.explain('orders')).toMatchObject({ healthy: 2, degraded: 1 });
    slowness = 10;
    await run(15_000);
    expect(client.explain('orders')).toMatchObject({ healthy: 3, degraded: 0 });
  });
});

describe('isolation by hand', () => {
  it('takes an instance out until it is released', async () => {
    const { client, call } = await startOrders();
    client.isolate('orders', 'orders-2');
    for (let turn = 0; turn < 6; turn += 1) expect(await call(portOf)).not.toContain(2);
    client.release('orders', 'orders-2');
    const ports = [...(await call(portOf)), ...(await call(portOf)), ...(await call(portOf))];
    expect(ports).toContain(2);
  });

  it('takes the whole service out until it is released', async () => {
    const { client, call } = await startOrders();
    client.isolate('orders');
    await expect(call(portOf)).rejects.toMatchObject({ code: 'ERR_SD_CIRCUIT_OPEN' });
    client.release('orders');
    expect(await call(portOf)).toHaveLength(1);
  });

  it('refuses an instance that is not there', async () => {
    const { client } = await startOrders();
    expect(() => client.isolate('orders', 'nobody')).toThrow(
      expect.objectContaining({ code: 'ERR_SD_UNKNOWN_INSTANCE', service: 'orders' }),
    );
  });
});

describe('the circuit breaker of a service', () => {
  const everywhere = (): never => failWith('ECONNRESET');
  const breaker = { failureRate: 0.5, minimumCalls: 10, openMs: 1_000 };

  it('is not there unless asked for', async () => {
    const { call } = await startOrders();
    for (let turn = 0; turn < 40; turn += 1) await expect(call(everywhere)).rejects.toThrow('ECONNRESET');
  });

  it('refuses calls while most fail, and lets some through after a while', async () => {
    const { client, call, clock } = await startOrders({ breaker });
    for (let turn = 0; turn < 10; turn += 1) await expect(call(everywhere)).rejects.toThrow('ECONNRESET');
    await expect(client.call('orders', portOf)).rejects.toMatchObject({ code: 'ERR_SD_CIRCUIT_OPEN' });
    await clock.advance(1_500);
    for (let turn = 0; turn < 5; turn += 1) await call(portOf);
  });

  it('does not count what callers cancel or get wrong', async () => {
    const { client, call, clock } = await startOrders({ breaker });
    for (let turn = 0; turn < 30; turn += 1) {
      await expect(
        call(() => {
          throw new TypeError('a bug of the caller');
        }),
      ).rejects.toThrow('a bug');
      const end = new AbortController();
      const cancelled = client.call('orders', hang, { signal: end.signal });
      cancelled.catch(() => undefined);
      await clock.advance(0);
      end.abort(new Error('enough'));
      await expect(cancelled).rejects.toThrow('enough');
    }
    expect(await call(portOf)).toHaveLength(1);
  });
});
