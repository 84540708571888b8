import { describe, expect, it, onTestFinished } from 'vitest';
import { telemetry, type DiscoveryClientOptions, type PickEvent } from '../src/index.ts';
import { startClient } from './fixture.ts';

/** One instance that takes one call at a time; `answer()` ends the oldest one under way. */
async function startFull(queue: DiscoveryClientOptions['queue']) {
  const fixture = startClient({ balancing: { maxInFlight: 1 }, queue });
  await fixture.publish('orders', { port: 1 });
  await fixture.client.getInstances('orders');
  const open: (() => void)[] = [];
  const answered: string[] = [];
  const call = (name: string, signal?: AbortSignal): Promise<void> => {
    const result = fixture.client.call(
      'orders',
      async () => {
        await new Promise<void>((resolve) => open.push(resolve));
        answered.push(name);
      },
      { signal },
    );
    result.catch(() => undefined);
    return result;
  };
  const answer = async (): Promise<void> => {
    open.shift()?.();
    await fixture.clock.advance(0);
  };
  const first = call('first');
  await fixture.clock.advance(0);
  return { ...fixture, call, answer, answered, first, open };
}

describe('a service all of whose endpoints are full', () => {
  it('refuses calls at once, as one that is unavailable for now', async () => {
    const { call } = await startFull(undefined);
    await expect(call('second')).rejects.toMatchObject({
      code: 'ERR_SD_OVERLOADED',
      statusCode: 503,
      retryAfterMs: 1_000,
      service: 'orders',
    });
  });

  it('has calls wait in a queue, first come, first served', async () => {
    const { call, answer, answered } = await startFull({ limit: 2 });
    const calls = [call('second'), call('third')];
    for (let turn = 0; turn < 3; turn += 1) await answer();
    await Promise.all(calls);
    expect(answered).toEqual(['first', 'second', 'third']);
  });

  it('has as many go on as there is room for when instances come', async () => {
    const { call, publish, clock, open } = await startFull({ limit: 5 });
    for (const name of ['second', 'third', 'fourth']) void call(name);
    await clock.advance(0);
    expect(open).toHaveLength(1);
    for (const port of [2, 3, 4]) await publish('orders', { port });
    await clock.advance(100);
    expect(open).toHaveLength(4);
    for (const end of open) end();
    await clock.advance(0);
  });

  it('refuses those that the queue has no room for', async () => {
    const { call, answer, clock } = await startFull({ limit: 1 });
    const second = call('second');
    await clock.advance(0);
    await expect(call('third')).rejects.toThrow('and 1 more wait');
    await answer();
    await answer();
    await second;
  });

  it('refuses those that have waited too long', async () => {
    const { call, clock } = await startFull({ limit: 1, maxWaitMs: 200 });
    const second = call('second');
    const rejected = expect(second).rejects.toMatchObject({ code: 'ERR_SD_OVERLOADED' });
    await clock.advance(200);
    await rejected;
  });

  it('lets go of a call that is cancelled while it waits', async () => {
    const { call, clock, answer, open, answered } = await startFull({ limit: 1 });
    const end = new AbortController();
    const second = call('second', end.signal);
    await clock.advance(0);
    end.abort(new Error('enough'));
    await expect(second).rejects.toThrow('enough');

    const third = call('third');
    await clock.advance(0);
    await answer();
    await answer();
    await third;
    expect(answered).toEqual(['first', 'third']);
    expect(open).toEqual([]);
  });

  it('lets a call through that waits for another endpoint than the first in the queue', async () => {
    const { client, clock, publish } = startClient({ balancing: { maxInFlight: 1 }, queue: { limit: 5 } });
    await publish('orders', { port: 1, tags: ['a'] });
    await publish('orders', { port: 2, tags: ['b'] });
    await client.getInstances('orders');
    const open = new Map<string, () => void>();
    const call = (name: string, tag: string): Promise<string> =>
      client.call('orders', () => new Promise<string>((resolve) => open.set(name, () => resolve(name))), {
        filter: { tags: [tag] },
      });
    const onA = call('on a', 'a');
    const onB = call('on b', 'b');
    await clock.advance(0);
    const waitsForA = call('waits for a', 'a');
    const waitsForB = call('waits for b', 'b');
    await clock.advance(0);

    open.get('on b')?.();
    await onB;
    await clock.advance(0);

    expect([...open.keys()]).toEqual(['on a', 'on b', 'waits for b']);
    for (const name of ['waits for b', 'on a']) open.get(name)?.();
    await Promise.all([onA, waitsForB]);
    await clock.advance(0);
    open.get('waits for a')?.();
    await waitsForA;
  });
});

describe('who hears of the pick of a call that waits', () => {
  const onPick = (listener: (event: PickEvent) => void): void => {
    const heard = (event: unknown): void => listener(event as PickEvent);
    telemetry.pick.subscribe(heard);
    onTestFinished(() => void telemetry.pick.unsubscribe(heard));
  };

  it('may cancel another one', async () => {
    const { client, call, answer, first, clock, publish } = await startFull({ limit: 5 });
    await publish('orders', { port: 2, tags: ['b'] });
    await clock.advance(100);
    let endOther = (): void => undefined;
    const other = client.call('orders', () => new Promise<void>((end) => (endOther = end)), {
      filter: onlyB,
    });
    const waitsForB = client.call('orders', () => 'b', { filter: onlyB });
    const caller = new AbortController();
    const second = call('second', caller.signal);
    await clock.advance(0);
    onPick(({ endpoint }) => {
      if (endpoint === undefined) caller.abort(new Error('enough'));
    });

    await answer();

    await first;
    await expect(second).rejects.toThrow('enough');
    endOther();
    await other;
    expect(await waitsForB).toBe('b');
  });

  it('may make a call that gives back its endpoint at once, and that one is in flight no longer', async () => {
    const { client, call, answer, clock, publish } = await startFull({ limit: 5 });
    const second = call('second');
    await clock.advance(0);
    let calls = 0;
    onPick(() => {
      calls += 1;
      if (calls > 1) return;
      client
        .call('orders', () => {
          throw new Error('a bug');
        })
        .catch(() => undefined);
    });
    await publish('orders', { port: 2 });
    await publish('orders', { port: 3 });
    await clock.advance(100);

    await answer();
    await answer();
    await second;

    expect(client.endpoints('orders')?.map(({ inFlight }) => inFlight)).toEqual([0, 0, 0]);
  });
});

const onlyB = { tags: ['b'] };
