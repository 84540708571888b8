import type { Attempt } from '../src/index.ts';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { failWith, hang, startCall, startClient } from './fixture.ts';

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

describe('bodies that go on', () => {
  it('are no silence of their endpoint', async () => {
    const { client, clock, publish } = startClient({ strategy: 'least-connections' });
    for (const port of [1, 2]) await publish('orders', { port });
    await client.getInstances('orders');
    const body = (attempt: Attempt): string => {
      if (attempt.instance.port === 1) attempt.keepUntil(hang());
      return 'head';
    };
    await Promise.all(Array.from({ length: 10 }, () => client.call('orders', body)));
    expect(client.endpoints('orders')?.map(({ inFlight }) => inFlight)).toEqual([5, 0]);
    for (let count = 0; count < 500; count += 1) {
      await client.call('orders', () => 'answer');
      await clock.advance(20);
    }
    expect(client.explain('orders')).toMatchObject({ healthy: 2, ejected: 0 });
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

  it('is given back also when nobody can say what its failure means', async () => {
    const { client, publish, clock } = startClient();
    await publish('orders', { port: 1 });
    const classify = (): never => {
      throw new Error('the classifier is wrong');
    };
    let breakOff: (error: Error) => void = () => undefined;
    const keep = (attempt: Attempt): string => {
      attempt.keepUntil(new Promise((_, reject) => (breakOff = reject)));
      return 'head';
    };
    expect(await client.call('orders', keep, { classify })).toBe('head');
    breakOff(new Error('the body broke off'));
    await clock.advance(0);
    expect(client.endpoints('orders')?.[0]?.inFlight).toBe(0);
  });
});
