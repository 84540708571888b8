import { ConnectionError } from '../src/index.ts';
import { describe, expect, it, vi } from 'vitest';
import { failWith, startCall, startClient } from './fixture.ts';

describe('a retry', () => {
  it('goes to another endpoint while there is one', async () => {
    const { call, ports, clock } = await startCall(() => failWith('ECONNREFUSED'), { retries: 2 });
    const rejection = expect(call).rejects.toThrow(ConnectionError);
    await clock.advance(1_000);

    await rejection;
    expect(new Set(ports)).toEqual(new Set([1, 2, 3]));
  });

  it('goes to an endpoint tried before when there is no other', async () => {
    const { call, ports, clock } = await startCall(
      ({ number }) => (number < 5 ? failWith('ECONNREFUSED') : 'at last'),
      { retries: 4 },
    );
    await clock.advance(5_000);

    expect(await call).toBe('at last');
    expect(ports).toHaveLength(5);
  });

  it('is immediate after a connection that never opened', async () => {
    const { call } = await startCall(({ number }) => (number === 1 ? failWith('ECONNREFUSED') : number));
    expect(await call).toBe(2); // without the clock having moved
  });

  it.each([
    ['ECONNRESET', true, 2],
    ['ECONNRESET', false, 1],
    ['ECONNREFUSED', false, 2],
    ['ECONNREFUSED', true, 2],
  ])('after %s with idempotent: %s makes %s attempts', async (code, idempotent, attempts) => {
    const { call, ports, clock } = await startCall(({ number }) => (number === 1 ? failWith(code) : 'ok'), {
      idempotent,
    });
    await clock.advance(1_000);

    await call.catch(() => undefined);
    expect(ports).toHaveLength(attempts);
  });

  it('waits as long as the answer asks for', async () => {
    const startedAt: number[] = [];
    const { call, clock } = await startCall(
      ({ number }) => {
        startedAt.push(performance.now());
        if (number === 1) throw new Error('busy');
        return 'ok';
      },
      {
        idempotent: true,
        classify: () => ({ outcome: 'overload', retryable: true, retryAfterMs: 3_000, everywhere: true }),
      },
    );

    await clock.advance(2_999);
    expect(startedAt).toHaveLength(1);
    await clock.advance(1);
    expect(await call).toBe('ok');
  });

  it('is waited for by the process, also where the call has no deadline', async () => {
    const { client, clock, publish } = startClient();
    await publish('orders', { port: 1 });
    await client.getInstances('orders');
    const setTimer = vi.spyOn(clock, 'setTimer');
    const call = client.call('orders', ({ number }) => (number === 1 ? failWith('EBUSY') : 'ok'), {
      idempotent: true,
      deadlineMs: Infinity,
      attemptTimeoutMs: 100,
      classify: () => ({ outcome: 'overload', retryable: true, retryAfterMs: 3_000, everywhere: true }),
    });
    await clock.advance(3_000);

    expect(await call).toBe('ok');
    expect(setTimer).toHaveBeenCalledWith(expect.anything(), 3_000, { keepAlive: true });
  });

  it('is not made when the wait does not fit into the deadline', async () => {
    const busy = new Error('busy');
    const { call, ports } = await startCall(
      () => {
        throw busy;
      },
      {
        idempotent: true,
        deadlineMs: 2_000,
        classify: () => ({ outcome: 'overload', retryable: true, retryAfterMs: 3_000, everywhere: true }),
      },
    );

    await expect(call).rejects.toMatchObject({ cause: busy });
    expect(ports).toHaveLength(1);
  });

  it('is not made when the budget is spent, so that retries stay a share of the traffic', async () => {
    const { client, publish, clock } = startClient({ retryBudget: { ratio: 0.2, perSecond: 0 } });
    for (const port of [1, 2, 3, 4]) await publish('orders', { port });
    await client.getInstances('orders');
    await Promise.all(Array.from({ length: 300 }, () => client.call('orders', () => 'ok')));
    let attempts = 0;
    const calls = Array.from({ length: 100 }, () =>
      client.call(
        'orders',
        () => {
          attempts += 1;
          return failWith('ECONNRESET');
        },
        { idempotent: true, retries: 3 },
      ),
    );
    const settled = Promise.allSettled(calls);
    await clock.advance(1_000);
    await settled;

    expect(attempts).toBe(100 + 0.2 * 400);
  });

  it('is not made while most attempts fail, as one more would too', async () => {
    const { client, publish, clock } = startClient();
    for (const port of [1, 2, 3, 4]) await publish('orders', { port });
    await client.getInstances('orders');
    let attempts = 0;
    const fail = (): never => {
      attempts += 1;
      return failWith('ECONNRESET');
    };
    const settled = Promise.allSettled(
      Array.from({ length: 100 }, () => client.call('orders', fail, { idempotent: true })),
    );
    await clock.advance(1_000);
    await settled;

    expect(attempts).toBe(100 + 19); // fewer failures than 20 say nothing
  });

  it('reports each attempt when all failed', async () => {
    const { call, clock } = await startCall(() => failWith('ECONNREFUSED'), { retries: 1 });
    const rejection = expect(call).rejects.toMatchObject({
      code: 'ERR_SD_CONNECTION',
      service: 'orders',
      cause: { code: 'ECONNREFUSED' },
      attempts: [{ outcome: 'connect-failure' }, { outcome: 'connect-failure' }],
    });
    await clock.advance(1_000);
    await rejection;
  });
});

describe('an endpoint that cannot be connected to', () => {
  it('is left out for a second, then tried again', async () => {
    const { client, publish, clock } = startClient();
    for (const port of [1, 2, 3]) await publish('orders', { port });
    await client.getInstances('orders');
    const tries = { dead: 0 };
    const call = () =>
      client.call('orders', ({ instance: { port } }) => {
        if (port !== 2) return port;
        tries.dead += 1;
        return failWith('ECONNREFUSED');
      });

    for (let turn = 0; turn < 30; turn += 1) await call();
    expect(tries.dead).toBe(1);

    await clock.advance(1_200);
    for (let turn = 0; turn < 30; turn += 1) await call();
    expect(tries.dead).toBe(2);
  });
});
