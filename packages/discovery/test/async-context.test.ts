import { sleep } from '@sd/core';
import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, it, vi } from 'vitest';
import type { Attempt, CallHandler, OpenAttempt } from '../src/index.ts';
import { hang, startClient } from './fixture.ts';

/** Where users keep whose request it is that they work on. */
const request = new AsyncLocalStorage<string>();

async function startOrders() {
  const fixture = startClient();
  const { client, clock, publish } = fixture;
  for (const port of [1, 2, 3]) await publish('orders', { port });
  await client.getInstances('orders');
  const answers = Array.from({ length: 60 }, () => client.call('orders', () => sleep(clock, 10)));
  await clock.advance(10);
  await Promise.all(answers);
  return fixture;
}

describe('work runs in the context of its call:', () => {
  it.each([
    ['a hedge', {}, 'hedge'],
    ['a retry after a timeout', { attemptTimeoutMs: 100, hedge: false }, 'retry'],
  ])('%s, whoever has set the timer', async (_what, options, kind) => {
    const { client, clock } = await startOrders();
    const seen: (string | undefined)[] = [];
    const work = (attempt: Attempt): Promise<string> | string => {
      seen.push(attempt.kind, request.getStore());
      return attempt.kind === 'first' ? hang() : 'answer';
    };

    const call = request.run('mine', () => client.call('orders', work, { idempotent: true, ...options }));
    await clock.advance(1_000);

    expect(await call).toBe('answer');
    expect(seen).toEqual(['first', 'mine', kind, 'mine']);
  });

  it('a retry of a dispatched call, whoever the connection was made for', async () => {
    const { client } = await startOrders();
    const seen: (string | undefined)[] = [];
    const attempts: OpenAttempt[] = [];
    const handler: CallHandler = {
      attempt: (attempt) => {
        seen.push(request.getStore());
        attempts.push(attempt);
      },
      failed: () => undefined,
    };

    request.run('mine', () => client.dispatch('orders', handler, client.rules({})));
    const refused = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
    request.run('of another', () => attempts[0]?.fail(refused));

    expect(seen).toEqual(['mine', 'mine']);
  });
});

it('a service is watched in the context of nobody: that goes on when the first request has ended', async () => {
  const { client, backend } = startClient();
  const watch = vi.spyOn(backend, 'watch');
  const seen: (string | undefined)[] = [];
  watch.mockImplementation(async function* () {
    seen.push(request.getStore());
    yield [];
  });

  await request.run('the first', () => client.getInstances('orders'));

  expect(seen).toEqual([undefined]);
});
