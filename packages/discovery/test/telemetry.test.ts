import { AsyncLocalStorage } from 'node:async_hooks';
import { channel, subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, it, onTestFinished } from 'vitest';
import { telemetry, type AttemptTrace, type TelemetryChannel } from '../src/index.ts';
import { eventually } from '@sd/testkit';
import { failWith, startClient } from './fixture.ts';

/** What a channel tells while the test runs. */
function heard<Message>(source: TelemetryChannel<Message>): readonly Message[] {
  const messages: Message[] = [];
  const listener = (message: Message): void => void messages.push(message);
  source.subscribe(listener);
  onTestFinished(() => void source.unsubscribe(listener));
  return messages;
}

async function startOrders(count = 2) {
  const fixture = startClient();
  for (let port = 1; port <= count; port += 1) await fixture.publish('orders', { port });
  await fixture.client.getInstances('orders');
  return fixture;
}

describe('telemetry', () => {
  it('is on channels of these names', () => {
    const { call, attempt, ...plain } = telemetry;
    expect(Object.values(plain)).toEqual(Object.keys(plain).map((name) => channel(`sd:${name}`)));
    expect(call.start).toBe(tracingChannel('sd:call').start);
    expect(attempt.asyncEnd).toBe(tracingChannel('sd:attempt').asyncEnd);
  });

  it('tells of picks', async () => {
    const picks = heard(telemetry.pick);
    const { client } = await startOrders();
    await client.call('orders', () => 'ok');
    expect(picks).toMatchObject([{ service: 'orders', strategy: 'round-robin', reason: 'direct' }]);
    expect(picks[0]?.endpoint?.instance.service).toBe('orders');
  });

  it('tells of retries, and of those that the budget did not allow', async () => {
    const retries = heard(telemetry.retry);
    const { client, clock } = await startOrders();
    await client.call('orders', ({ number }) => (number === 1 ? failWith('ECONNREFUSED') : 'ok'));
    expect(retries).toMatchObject([
      { service: 'orders', outcome: 'connect-failure', isGranted: true, pauseMs: 0 },
    ]);

    const poor = startClient({ retryBudget: { ratio: 0, perSecond: 0 } });
    await poor.publish('users', { port: 1 });
    await expect(poor.client.call('users', () => failWith('ECONNREFUSED'))).rejects.toThrow();
    expect(retries[1]).toMatchObject({ service: 'users', isGranted: false });
    await clock.advance(0);
  });

  it('tells of ejections and returns', async () => {
    const [ejections, returns] = [heard(telemetry.eject), heard(telemetry.return)];
    const { client, clock } = await startOrders();
    await client.call('orders', ({ number }) => (number === 1 ? failWith('ECONNREFUSED') : 'ok'));
    expect(ejections).toMatchObject([{ service: 'orders', event: { type: 'eject', reason: 'unreachable' } }]);

    await clock.advance(1_200);
    await client.call('orders', () => 'ok');
    expect(returns).toMatchObject([{ service: 'orders', event: { type: 'return' } }]);
    expect(returns[0]?.event.endpoint).toBe(ejections[0]?.event.endpoint);
  });

  it('tells of snapshots, and of views that become stale', async () => {
    const [snapshots, stale] = [heard(telemetry.snapshot), heard(telemetry.stale)];
    const { backend } = await startOrders();
    expect(snapshots.at(-1)).toMatchObject({ service: 'orders', backend: 'memory' });
    expect(snapshots.at(-1)?.view.instances).toHaveLength(2);

    await backend.close();
    await eventually(() => expect(stale).toMatchObject([{ service: 'orders', view: { state: 'stale' } }]));
  });

  it('tells of each watch that failed', async () => {
    const reconnects = heard(telemetry.reconnect);
    const { backend } = await startOrders();
    await backend.close();
    await eventually(() =>
      expect(reconnects).toMatchObject([
        { service: 'orders', backend: 'memory', error: expect.any(Error) as Error },
      ]),
    );
  });

  it('tells of the breaker', async () => {
    const states = heard(telemetry.breaker);
    const { client } = await startOrders();
    client.isolate('orders');
    client.release('orders');
    expect(states.map(({ service, state }) => [service, state.value])).toEqual([
      ['orders', 'isolated'],
      ['orders', 'closed'],
    ]);
  });
});

describe('tracing', () => {
  it('wraps a call and its attempts, and says how they ended', async () => {
    const log: string[] = [];
    const note =
      (name: string) =>
      (message: object): void =>
        void log.push(`${name} ${'outcome' in message ? String(message.outcome) : ''}`.trim());
    const calls = { start: note('call starts'), asyncEnd: note('call ends') };
    const attempts = { start: note('attempt starts'), asyncEnd: note('attempt ends') };
    listen('call', calls);
    listen('attempt', attempts);
    const { client } = await startOrders();

    await client.call('orders', ({ number }) => (number === 1 ? failWith('ECONNREFUSED') : 'ok'));

    expect(log.at(0)).toBe('call starts');
    expect(log.at(-1)).toBe('call ends');
    expect(log.filter((entry) => entry.startsWith('attempt')).sort()).toEqual([
      'attempt ends connect-failure',
      'attempt ends ok',
      'attempt starts',
      'attempt starts',
    ]);
  });

  it('says of each attempt which call it belongs to', async () => {
    const [calls, attempts]: [object[], { readonly call?: unknown }[]] = [[], []];
    listen('call', { start: (message) => void calls.push(message) });
    listen('attempt', { start: (message) => void attempts.push(message) });
    const { client } = await startOrders();

    const flaky = () =>
      client.call('orders', ({ number }) => (number === 1 ? failWith('ECONNREFUSED') : 'ok'));
    await Promise.all([flaky(), client.call('orders', () => 'ok')]);

    expect(attempts.map(({ call }) => calls.findIndex((each) => each === call))).toEqual([0, 0, 1]);
  });

  it('lets a tracer run the work of each attempt in a context of its own', async () => {
    const storage = new AsyncLocalStorage<number>();
    const start = (message: object): void => {
      const { number } = message as AttemptTrace;
      Object.assign(message, { around: (work: () => void) => storage.run(number, work) });
    };
    listen('attempt', { start });
    const { client } = await startOrders();
    const seen: (number | undefined)[] = [];
    await client.call('orders', ({ number }) => {
      seen.push(storage.getStore());
      return number === 1 ? failWith('ECONNREFUSED') : 'ok';
    });
    expect(seen).toEqual([1, 2]);
    expect(storage.getStore()).toBeUndefined();
  });

  it('has the error that the caller gets', async () => {
    const ends: object[] = [];
    listen('call', { asyncEnd: (message) => void ends.push(message) });
    const { client } = await startOrders(1);

    await expect(client.call('orders', () => failWith('ECONNRESET'), { retries: 0 })).rejects.toThrow();

    expect(ends).toMatchObject([
      {
        service: 'orders',
        idempotent: false,
        error: { code: 'ERR_SD_CONNECTION' },
        attempts: [{ outcome: 'error', kind: 'first' }],
        durationMs: expect.any(Number) as number,
      },
    ]);
  });

  it('ends also for an attempt that was cancelled and never settles', async () => {
    const ends: object[] = [];
    listen('attempt', { asyncEnd: (message) => void ends.push(message) });
    const { client, clock } = await startOrders(1);
    const end = new AbortController();
    const call = client.call('orders', () => new Promise(() => undefined), { signal: end.signal });
    call.catch(() => undefined);
    await clock.advance(5);
    end.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    expect(ends).toMatchObject([{ outcome: 'cancelled', durationMs: 5 }]);
  });
});

type Listeners = { readonly [Event in 'start' | 'asyncEnd']?: (message: object) => void };

function listen(name: 'call' | 'attempt', listeners: Listeners): void {
  for (const [event, listener] of Object.entries(listeners)) {
    const onMessage = (message: unknown): void => listener(Object(message) as object);
    const channelName = `tracing:sd:${name}:${event}`;
    subscribe(channelName, onMessage);
    onTestFinished(() => void unsubscribe(channelName, onMessage));
  }
}
