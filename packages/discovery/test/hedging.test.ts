import { sleep, type Clock } from '@sd/core';
import { describe, expect, it } from 'vitest';
import type { Attempt, CallOptions, DiscoveryClientOptions } from '../src/index.ts';
import { failWith, hang, startClient } from './fixture.ts';

/** Three instances that have answered 60 calls in 10 ms each. */
async function startKnownService(options: Partial<DiscoveryClientOptions> = {}) {
  const fixture = startClient({ strategy: 'round-robin', ...options });
  const { client, clock, publish } = fixture;
  for (const port of [1, 2, 3]) await publish('orders', { port });
  await client.getInstances('orders');
  const answers = Array.from({ length: 60 }, () => client.call('orders', () => sleep(clock, 10)));
  await clock.advance(10);
  await Promise.all(answers);
  return fixture;
}

async function startCall<T>(
  answer: (attempt: Attempt, clock: Clock) => T | Promise<T>,
  call: CallOptions = {},
  options?: Partial<DiscoveryClientOptions>,
) {
  const fixture = await startKnownService(options);
  const attempts: Attempt[] = [];
  const timersBefore = fixture.clock.pendingTimers;
  const result = fixture.client.call(
    'orders',
    (attempt) => {
      attempts.push(attempt);
      return answer(attempt, fixture.clock);
    },
    { idempotent: true, ...call },
  );
  result.catch(() => undefined);
  await fixture.clock.advance(0);
  return { ...fixture, attempts, result, timersBefore };
}

const firstHangs = ({ number }: Attempt): Promise<string> | string => (number === 1 ? hang() : 'answer');

describe('a hedge', () => {
  it('goes to another endpoint when the first is later than twice the median and p95', async () => {
    const { attempts, result, clock } = await startCall(firstHangs);

    await clock.advance(17); // the histogram's resolution is 10 %
    expect(attempts).toHaveLength(1);
    await clock.advance(6);

    expect(await result).toBe('answer');
    expect(attempts.map(({ kind }) => kind)).toEqual(['first', 'hedge']);
    expect(attempts[1]?.instance).not.toBe(attempts[0]?.instance);
  });

  it('cancels the one that lost, whose endpoint is free again', async () => {
    const { attempts, result, clock, timersBefore } = await startCall(firstHangs);
    await clock.advance(50);
    await result;

    expect(attempts[0]?.signal.aborted).toBe(true);
    expect(attempts[0]?.endpoint.inFlight).toBe(0);
    expect(clock.pendingTimers).toBe(timersBefore);
  });

  it('that loses again and again says nothing of its endpoint', async () => {
    const { client, clock, publish } = startClient();
    await publish('orders', { port: 1 });
    await publish('orders', { port: 2, priority: 1 }); // far away
    await client.getInstances('orders');
    let calls = 0;
    const answer = ({ instance, kind }: Attempt): Promise<void> => {
      calls += 1;
      return sleep(clock, instance.port === 2 ? 80 : kind === 'first' && calls % 25 === 0 ? 60 : 10);
    };
    for (let count = 0; count < 1_000; count += 1) {
      void client.call('orders', answer, { idempotent: true });
      await clock.advance(50);
    }
    expect(calls).toBeGreaterThan(1_010);
    expect(client.explain('orders')).toMatchObject({ healthy: 2, ejected: 0, degraded: 0 });
  });

  it('may lose to the first', async () => {
    const { attempts, result, clock } = await startCall(({ number }, time) =>
      sleep(time, number === 1 ? 40 : 100).then(() => number),
    );
    await clock.advance(40);
    expect(await result).toBe(1);
    expect(attempts[1]?.signal.aborted).toBe(true);
  });

  it('that fails leaves the first its time', async () => {
    const { attempts, result, clock } = await startCall(async ({ number }, time) => {
      if (number === 2) failWith('ECONNRESET');
      await sleep(time, 100);
      return number;
    });
    await clock.advance(100);
    expect(await result).toBe(1);
    expect(attempts).toHaveLength(2);
  });

  it('goes on when the first fails meanwhile', async () => {
    const { attempts, result, clock } = await startCall(async ({ number }, time) => {
      await sleep(time, number === 1 ? 30 : 60);
      return number === 1 ? failWith('ECONNRESET') : number;
    });
    await clock.advance(100);
    expect(await result).toBe(2);
    expect(attempts).toHaveLength(2);
  });

  it.each<[string, CallOptions, Partial<DiscoveryClientOptions>]>([
    ['a call that is not idempotent', { idempotent: false }, {}],
    ['a call that asks for none', { hedge: false }, {}],
    ['a call that may not be repeated', { retries: 0 }, {}],
    ['a client that has it switched off', {}, { hedging: false }],
    ['a spent budget', {}, { retryBudget: { ratio: 0, perSecond: 0 } }],
  ])('is not made for %s', async (_what, call, options) => {
    const { attempts, clock } = await startCall(hang, call, options);
    await clock.advance(1_000);
    expect(attempts).toHaveLength(1);
  });

  it('is not made twice for one call', async () => {
    const { attempts, clock } = await startCall(hang);
    await clock.advance(1_000);
    expect(attempts).toHaveLength(2);
  });

  it('is not sent to the same endpoint, where there is only one', async () => {
    const { client, clock, publish } = startClient();
    await publish('orders', { port: 1 });
    await client.getInstances('orders');
    const answers = Array.from({ length: 60 }, () => client.call('orders', () => sleep(clock, 10)));
    await clock.advance(10);
    await Promise.all(answers);

    let attempts = 0;
    const call = client.call(
      'orders',
      async ({ endpoint }) => {
        attempts += 1;
        await sleep(clock, 500);
        return endpoint.inFlight;
      },
      { idempotent: true },
    );
    await clock.advance(500);

    expect(await call).toBe(1);
    expect(attempts).toBe(1);
  });

  it('is as early as ever when one of three endpoints is slow', async () => {
    const { client, clock, publish } = startClient({ strategy: 'round-robin', outliers: { latency: false } });
    for (const port of [1, 2, 3]) await publish('orders', { port });
    await client.getInstances('orders');
    const answers = Array.from({ length: 90 }, () =>
      client.call('orders', ({ instance }) => sleep(clock, instance.port === 2 ? 300 : 10)),
    );
    await clock.advance(300);
    await Promise.all(answers);

    const kinds: string[] = [];
    const hanging = client.call(
      'orders',
      (attempt) => {
        kinds.push(attempt.kind);
        return firstHangs(attempt);
      },
      { idempotent: true },
    );
    await clock.advance(30);
    expect(await hanging).toBe('answer');
    expect(kinds).toEqual(['first', 'hedge']);
  });

  it('leaves the probe of an endpoint that was out of rotation as much time as others', async () => {
    const { client, clock } = await startKnownService();
    let failures = 0;
    const refuse = (): void => {
      failures += 1;
      if (failures === 1) failWith('ECONNREFUSED');
    };
    await client.call('orders', refuse);
    await clock.advance(1_300);
    const kinds: string[] = [];
    const probe = client.call(
      'orders',
      (attempt) => {
        kinds.push(`${attempt.kind} ${attempt.reason}`);
        return firstHangs(attempt);
      },
      { idempotent: true },
    );
    await clock.advance(17);
    expect(kinds).toEqual(['first probe']);
    await clock.advance(6);
    expect(await probe).toBe('answer');
    expect(kinds).toEqual(['first probe', 'hedge direct']);
  });

  it('is not made while too little is known', async () => {
    const { client, clock, publish } = startClient();
    for (const port of [1, 2]) await publish('orders', { port });
    await client.getInstances('orders');
    let attempts = 0;
    const count = (): Promise<never> => {
      attempts += 1;
      return hang();
    };
    const call = client.call('orders', count, { idempotent: true, attemptTimeoutMs: 900, retries: 0 });
    call.catch(() => undefined);
    await clock.advance(899);
    expect(attempts).toBe(1);
    await clock.advance(1);
  });

  it('ends with the call when the caller cancels', async () => {
    const end = new AbortController();
    const { attempts, result, clock } = await startCall(hang, { signal: end.signal });
    await clock.advance(100);
    end.abort(new Error('enough'));

    await expect(result).rejects.toThrow('enough');
    expect(attempts.map(({ signal }) => signal.aborted)).toEqual([true, true]);
    expect(attempts.map(({ endpoint }) => endpoint.inFlight)).toEqual([0, 0]);
  });

  it('is in the report of a call that failed', async () => {
    const { result, clock } = await startCall(hang, { deadlineMs: 500 });
    await clock.advance(500);
    await expect(result).rejects.toMatchObject({
      code: 'ERR_SD_DEADLINE_EXCEEDED',
      attempts: [
        { kind: 'first', outcome: 'timeout' },
        { kind: 'hedge', outcome: 'timeout' },
      ],
    });
  });
});
