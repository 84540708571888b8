import { resetLogger, setLogger } from '@sd/core';
import { LoadBalancerFactory, type Endpoint, type PickRequest, type Strategy } from '@sd/load-balancers';
import { expect, it, onTestFinished, vi } from 'vitest';
import { hang, startClient } from './fixture.ts';

/** In turn, unless it is told to throw. */
function startFaulty(fails: (request: PickRequest) => boolean) {
  const loadBalancers = new LoadBalancerFactory().register('mine', (): Strategy => {
    let endpoints: readonly Endpoint[] = [];
    let turn = 0;
    return {
      update: (all) => void (endpoints = all),
      pick: (request) => {
        if (fails(request)) throw new Error('a mistake of mine');
        return endpoints[(turn += 1) % endpoints.length];
      },
    };
  });
  return { loadBalancers, strategy: 'mine' };
}

it('a strategy that throws when a call is hedged leaves the call as it is', async () => {
  const error = vi.fn();
  setLogger({ debug: () => undefined, info: () => undefined, warn: () => undefined, error });
  onTestFinished(() => resetLogger());
  const { client, clock, publish } = startClient(startFaulty(({ tried }) => tried.length > 0));
  for (const port of [1, 2]) await publish('orders', { port });
  await client.getInstances('orders');
  for (let count = 0; count < 60; count += 1) await client.call('orders', () => 'at once');
  let answer: (text: string) => void = () => undefined;
  const late = client.call('orders', () => new Promise((resolve) => (answer = resolve)), {
    idempotent: true,
  });

  await clock.advance(50);
  answer('late');

  expect(await late).toBe('late');
  expect(error).toHaveBeenCalled();
});

it('a strategy that throws for a call in the queue fails that call, and not the one that makes room', async () => {
  let isFaulty = false;
  const { client, clock, publish } = startClient({
    ...startFaulty(() => isFaulty),
    balancing: { maxInFlight: 1 },
    queue: { limit: 1 },
  });
  await publish('orders', { port: 1 });
  await client.getInstances('orders');
  let answer: (text: string) => void = () => undefined;
  const first = client.call('orders', () => new Promise((resolve) => (answer = resolve)));
  const second = client.call('orders', () => hang());
  second.catch(() => undefined);
  await clock.advance(1);

  isFaulty = true;
  answer('first');

  expect(await first).toBe('first');
  await expect(second).rejects.toThrow('a mistake of mine');
});
