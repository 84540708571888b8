import { ConfigValidationError } from '@sd/core';
import {
  AttemptTimeoutError,
  DeadlineExceededError,
  telemetry,
  UnknownServiceError,
  type Attempt,
} from '../src/index.ts';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { failWith, hang, startCall, startClient } from './fixture.ts';

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

  it('does not blame the store for an instance that does not answer', async () => {
    const { client, backend, clock, publish } = startClient();
    await publish('orders', { port: 1 });
    await client.getInstances('orders');
    await backend.close();
    await clock.advance(0);
    expect(client.peek('orders')).toMatchObject({ state: 'stale', error: expect.any(Error) as Error });
    const call = client.call('orders', hang, { deadlineMs: 1_000 });
    const failure = call.catch((error: unknown) => error);
    await clock.advance(1_000);

    const error = await failure;
    expect(error).toBeInstanceOf(DeadlineExceededError);
    expect(error).not.toHaveProperty('cause');
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

  it('makes no attempt when who hears of its pick cancels it', async () => {
    const { client, publish } = startClient();
    await publish('orders', { port: 1 });
    await client.getInstances('orders');
    const caller = new AbortController();
    const onPick = (): void => caller.abort(new Error('enough'));
    telemetry.pick.subscribe(onPick);
    onTestFinished(() => void telemetry.pick.unsubscribe(onPick));
    const attempt = vi.fn();

    await expect(client.call('orders', attempt, { signal: caller.signal })).rejects.toThrow('enough');

    expect(attempt).not.toHaveBeenCalled();
    expect(client.endpoints('orders')).toMatchObject([{ inFlight: 0 }]);
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
