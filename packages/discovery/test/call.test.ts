import { ConfigValidationError } from '@sd/core';
import {
  AttemptTimeoutError,
  ConnectionError,
  DeadlineExceededError,
  UnknownServiceError,
  type Attempt,
  type CallOptions,
} from '../src/index.ts';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { failWith, startClient } from './fixture.ts';

/** A call to a service with three instances. `answer` gets each attempt; tests read what was tried from `ports`. */
async function startCall<T>(answer: (attempt: Attempt) => T | Promise<T>, options?: CallOptions) {
  const fixture = startClient();
  for (const port of [1, 2, 3]) await fixture.publish('orders', { port });
  await fixture.client.getInstances('orders');
  const ports: number[] = [];
  const call = fixture.client.call(
    'orders',
    (attempt) => {
      ports.push(attempt.instance.port);
      return answer(attempt);
    },
    options,
  );
  call.catch(() => undefined);
  return { ...fixture, call, ports };
}

const hang = (): Promise<never> => new Promise(() => undefined);

describe('a call', () => {
  it('returns what the attempt returns', async () => {
    const { call } = await startCall(({ number }) => `answer ${number}`);
    await expect(call).resolves.toBe('answer 1');
  });

  it('rejects with what the attempt throws, unchanged and without a retry, when that is not about the network', async () => {
    const bug = new TypeError('a bug');
    const { call, ports } = await startCall(
      () => {
        throw bug;
      },
      { idempotent: true },
    );

    await expect(call).rejects.toBe(bug);
    expect(ports).toHaveLength(1);
  });

  it('fails at once for an unknown service', async () => {
    const { client, clock } = startClient();
    const call = client.call('nothing', () => 1);
    const rejection = expect(call).rejects.toThrow(UnknownServiceError);
    await clock.advance(50);
    await rejection;
  });

  it('reaches an instance that was published a moment before', async () => {
    const { client, clock, publish } = startClient();
    await client.getInstances('orders');
    await publish('orders', { port: 1 });

    const call = client.call('orders', ({ instance }) => instance.port);
    await clock.advance(20);

    expect(await call).toBe(1);
  });

  it.each([
    ['deadlineMs', { deadlineMs: Number.NaN }],
    ['attemptTimeoutMs', { attemptTimeoutMs: -1 }],
    ['retries', { retries: -1 }],
    ['idempotent', { idempotent: 'yes' }],
    ['classify', { classify: 1 }],
    ['retrys', { retrys: 1 }],
  ])('refuses a wrong option: %s', async (field, options) => {
    // @ts-expect-error -- wrong on purpose
    const { call, ports } = await startCall(() => 1, options);
    await expect(call).rejects.toMatchObject({ code: 'ERR_SD_CONFIG', field });
    expect(ports).toEqual([]);
  });

  it('refuses a strategy that nobody registered', async () => {
    const { call } = await startCall(() => 1, { strategy: 'fastest' });
    await expect(call).rejects.toThrow(ConfigValidationError);
  });
});

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
      { idempotent: true, classify: () => ({ outcome: 'overload', retryable: true, retryAfterMs: 3_000 }) },
    );

    await clock.advance(2_999);
    expect(startedAt).toHaveLength(1);
    await clock.advance(1);
    expect(await call).toBe('ok');
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
        classify: () => ({ outcome: 'overload', retryable: true, retryAfterMs: 3_000 }),
      },
    );

    await expect(call).rejects.toMatchObject({ cause: busy });
    expect(ports).toHaveLength(1);
  });

  it('is not made when the budget is spent, so that retries stay a share of the traffic', async () => {
    const { client, publish, clock } = startClient({ retryBudget: { ratio: 0.2, perSecond: 0 } });
    for (const port of [1, 2, 3, 4]) await publish('orders', { port });
    await client.getInstances('orders');
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
    await clock.advance(2_000);
    await settled;

    expect(attempts).toBe(120);
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

describe('time', () => {
  it('ends an attempt that takes too long; an idempotent call goes on elsewhere', async () => {
    const { call, ports, clock } = await startCall(({ number }) => (number === 1 ? hang() : 'ok'), {
      attemptTimeoutMs: 100,
      idempotent: true,
    });
    await clock.advance(200);

    expect(await call).toBe('ok');
    expect(ports).toHaveLength(2);
  });

  it('ends a call that is not idempotent with the timeout of its attempt', async () => {
    const { call, ports, clock } = await startCall(hang, { attemptTimeoutMs: 100 });
    const rejection = expect(call).rejects.toThrow(AttemptTimeoutError);
    await clock.advance(100);

    await rejection;
    expect(ports).toHaveLength(1);
  });

  it('is bounded by one deadline, whatever attempts and pauses there are', async () => {
    const { call, clock } = await startCall(hang, {
      attemptTimeoutMs: 400,
      deadlineMs: 1_000,
      retries: 100,
      idempotent: true,
    });
    const startedAt = clock.now();
    let endedAt = 0;
    const rejection = expect(call.finally(() => (endedAt = clock.now()))).rejects.toThrow(
      DeadlineExceededError,
    );
    await clock.advance(5_000);

    await rejection;
    expect(endedAt - startedAt).toBe(1_000);
  });

  it('is bounded by the deadline also while there is no snapshot', async () => {
    const { client, backend, clock } = startClient();
    vi.spyOn(backend, 'watch').mockImplementation(() => {
      throw new Error('store is down');
    });
    const call = client.call('orders', () => 1, { deadlineMs: 1_000 });
    const rejection = expect(call).rejects.toMatchObject({
      code: 'ERR_SD_DEADLINE_EXCEEDED',
      cause: { message: 'store is down' },
    });
    await clock.advance(1_000);
    await rejection;
  });

  it('tells the attempt what is left', async () => {
    const { call, clock } = await startCall(
      (attempt) => (attempt.number === 1 ? hang() : attempt.remainingMs()),
      { attemptTimeoutMs: 300, deadlineMs: 1_000, idempotent: true },
    );
    await clock.advance(400);
    expect(await call).toBeLessThanOrEqual(700);
  });
});

describe('a cancelled call', () => {
  it('rejects at once with the reason, aborts the attempt and is not repeated', async () => {
    const caller = new AbortController();
    let attempt: Attempt | undefined;
    const { call, ports } = await startCall(
      (given) => {
        attempt = given;
        return hang();
      },
      { signal: caller.signal, idempotent: true },
    );

    caller.abort(new Error('lost interest'));

    await expect(call).rejects.toThrow('lost interest');
    expect(attempt?.signal.aborted).toBe(true);
    expect(attempt?.endpoint.inFlight).toBe(0);
    expect(ports).toHaveLength(1);
  });

  it('does not start when it was cancelled before', async () => {
    const { call, ports } = await startCall(() => 1, { signal: AbortSignal.abort(new Error('too late')) });
    await expect(call).rejects.toThrow('too late');
    expect(ports).toEqual([]);
  });

  it('ends a pause between attempts', async () => {
    const caller = new AbortController();
    const { call } = await startCall(() => failWith('ECONNRESET'), {
      signal: caller.signal,
      idempotent: true,
      classify: () => ({ outcome: 'overload', retryable: true, retryAfterMs: 5_000 }),
    });

    caller.abort(new Error('lost interest'));

    await expect(call).rejects.toThrow('lost interest');
  });
});

describe('what is in flight', () => {
  it('spreads 50 concurrent calls over 5 equal instances, 10 each, with least-connections', async () => {
    const { client, clock, publish } = startClient({ strategy: 'least-connections' });
    for (const port of [1, 2, 3, 4, 5]) await publish('orders', { port });
    await client.getInstances('orders');
    const perPort = new Map<number, number>();
    const end = new AbortController();

    const calls = Array.from({ length: 50 }, () =>
      client.call(
        'orders',
        ({ instance: { port } }) => {
          perPort.set(port, (perPort.get(port) ?? 0) + 1);
          return hang();
        },
        { signal: end.signal },
      ),
    );
    const settled = Promise.allSettled(calls);
    await clock.advance(0);

    expect([...perPort.values()]).toEqual([10, 10, 10, 10, 10]);
    end.abort();
    await settled;
  });

  it.each([
    ['returned', () => 'ok', {}],
    ['threw', () => failWith('ECONNRESET'), {}],
    ['timed out', hang, { attemptTimeoutMs: 10 }],
  ])('is given back when the attempt %s', async (_how, answer, options) => {
    let attempt: Attempt | undefined;
    const { call, clock } = await startCall((given): unknown => {
      attempt = given;
      return answer();
    }, options);
    await clock.advance(10);

    await call.catch(() => undefined);

    expect(attempt?.endpoint.inFlight).toBe(0);
  });

  it('stays until what the attempt keeps has ended', async () => {
    let attempt: Attempt | undefined;
    let bodyEnded = (): void => undefined;
    const { call, clock } = await startCall((given) => {
      attempt = given;
      given.keepUntil(new Promise<void>((resolve) => (bodyEnded = resolve)));
      return 'head';
    });

    await call;
    expect(attempt?.endpoint.inFlight).toBe(1);
    bodyEnded();
    await clock.advance(0);
    expect(attempt?.endpoint.inFlight).toBe(0);
  });
});

describe('a call that is cancelled while it waits for somebody to call', () => {
  it('leaves no timer', async () => {
    const { client, clock } = startClient();
    await client.getInstances('orders');
    const before = clock.pendingTimers;
    const caller = new AbortController();
    const call = client.call('orders', () => 1, { signal: caller.signal });
    await clock.advance(10);

    caller.abort(new Error('never mind'));

    await expect(call).rejects.toThrow('never mind');
    expect(clock.pendingTimers).toBe(before);
  });
});

describe('what an attempt keeps', () => {
  it('may fail before the attempt has ended', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    onTestFinished(() => void process.off('unhandledRejection', unhandled));
    const { client, publish } = startClient();
    await publish('orders', { port: 1 });

    const answer = await client.call('orders', async (attempt) => {
      attempt.keepUntil(Promise.reject(new Error('the body broke off')));
      await new Promise((resolve) => setImmediate(resolve));
      return 'head';
    });

    expect(answer).toBe('head');
    expect(unhandled).not.toHaveBeenCalled();
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
