import { sleep } from '@sd/core';
import { describe, expect, it } from 'vitest';
import type { Attempt, CallOptions } from '../src/index.ts';
import { failWith, hang, startClient } from './fixture.ts';

/** Three instances, of which the first answers when it is told to, and each of the others in 10 ms. */
async function startOrders() {
  const fixture = startClient({ strategy: 'round-robin', hedging: false });
  const { client, clock, publish } = fixture;
  for (const port of [1, 2, 3]) await publish('orders', { port });
  await client.getInstances('orders');
  const call = (firstMs: number, options: CallOptions = {}): void => {
    const takes = (port: number): number => (port === 1 ? firstMs : 10);
    client
      .call('orders', ({ instance }) => sleep(clock, takes(instance.port)), options)
      .catch(() => undefined);
  };
  /** 30 a second. */
  const callFor = async (seconds: number, firstMs: number, options: CallOptions = {}): Promise<void> => {
    for (let count = 0; count < 30 * seconds; count += 1) {
      call(firstMs, options);
      await clock.advance(1_000 / 30);
    }
  };
  const isOut = (): boolean | undefined => client.endpoints('orders')?.[0]?.reasons.passive === 'unhealthy';
  await callFor(3, 10);
  return { ...fixture, callFor, isOut };
}

describe('what says nothing of an endpoint', () => {
  it('is a deadline that is shorter than answers take: one that fails is told apart all the same', async () => {
    const { client, clock, isOut } = await startOrders();
    const fails = ({ instance }: Attempt): Promise<void> =>
      instance.port === 1 ? failWith('ECONNRESET') : sleep(clock, 10);
    for (let count = 0; count < 300; count += 1) {
      const deadlineMs = count % 3 === 0 ? 5 : 1_000;
      client.call('orders', fails, { deadlineMs, idempotent: true }).catch(() => undefined);
      await clock.advance(1_000 / 30);
    }
    expect(isOut()).toBe(true);
    expect(client.explain('orders')).toMatchObject({ healthy: 2 });
  });

  it('is a caller that gives up sooner than answers come', async () => {
    const { callFor, isOut } = await startOrders();
    for (let count = 0; count < 60; count += 1) {
      const end = new AbortController();
      const ended = callFor(0.1, 60_000, { signal: end.signal });
      end.abort();
      await ended;
    }
    expect(isOut()).toBe(false);
  });
});

describe('what speaks against an endpoint', () => {
  it('is a deadline that passes when its answer is late', async () => {
    const { callFor, isOut } = await startOrders();
    await callFor(5, 60_000, { deadlineMs: 50, retries: 0 });
    expect(isOut()).toBe(true);
  });

  it('is that callers give up again and again when its answers are late, while the others answer', async () => {
    const { client, clock, isOut } = await startOrders();
    for (let count = 0; count < 60; count += 1) {
      const end = new AbortController();
      const answer = ({ instance }: Attempt) => (instance.port === 1 ? hang() : 'answer');
      const call = client.call('orders', answer, { signal: end.signal });
      call.catch(() => undefined);
      await clock.advance(100);
      end.abort(new Error('enough'));
    }
    expect(isOut()).toBe(true);
  });
});

it('is not looked at with `outliers: false`', async () => {
  const { client, clock, publish } = startClient({ outliers: false, hedging: false });
  for (const port of [1, 2]) await publish('orders', { port });
  await client.getInstances('orders');
  const refuses = ({ instance }: Attempt) => (instance.port === 1 ? failWith('ECONNREFUSED') : 'answer');
  for (let count = 0; count < 50; count += 1) {
    await client.call('orders', refuses);
    await clock.advance(100);
  }
  expect(client.explain('orders')).toMatchObject({ healthy: 2 });
});
