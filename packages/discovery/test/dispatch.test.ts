import { describe, expect, it } from 'vitest';
import {
  telemetry,
  UnknownServiceError,
  type CallHandler,
  type CallOptions,
  type OpenAttempt,
} from '../src/index.ts';
import { startClient } from './fixture.ts';

const refused = Object.assign(new Error('connect ECONNREFUSED 10.0.0.1:1'), { code: 'ECONNREFUSED' });
const reset = Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' });

/** A dispatched call to a service with three instances, and its attempts in the order of their begin. */
async function startDispatch(options: CallOptions = {}) {
  const fixture = startClient();
  for (const port of [1, 2, 3]) await fixture.publish('orders', { port });
  await fixture.client.getInstances('orders');
  const attempts: OpenAttempt[] = [];
  const failures: unknown[] = [];
  const handler = handlerOf(
    (attempt) => attempts.push(attempt),
    (error) => failures.push(error),
  );
  const call = fixture.client.dispatch('orders', handler, fixture.client.rules(options));
  const at = (index: number): OpenAttempt => {
    const attempt = attempts[index];
    if (attempt === undefined) throw new Error(`there is no attempt ${index}`);
    return attempt;
  };
  return { ...fixture, call, attempts, at, failures };
}

const handlerOf = (
  attempt: (attempt: OpenAttempt) => void,
  failed: (error: unknown) => void = () => undefined,
): CallHandler => ({ attempt, failed });

describe('a dispatched call', () => {
  it('has its endpoint in flight until its answer has ended', async () => {
    const { at, failures } = await startDispatch();
    expect(at(0).answer()).toBe(true);
    expect(at(0).endpoint.inFlight).toBe(1);

    at(0).end();
    at(0).end();

    expect(at(0).endpoint.inFlight).toBe(0);
    expect(failures).toEqual([]);
  });

  it('is repeated elsewhere before `fail` returns, where that helps', async () => {
    const { at, attempts } = await startDispatch();
    at(0).fail(refused);
    expect(attempts).toHaveLength(2);
    expect(at(1).endpoint).not.toBe(at(0).endpoint);
    expect(at(0).endpoint.inFlight).toBe(0);
  });

  it('has failed before `fail` returns, where it is not to be repeated', async () => {
    const { at, failures } = await startDispatch();
    const mistake = new Error('a bug');
    at(0).fail(mistake);
    expect(failures).toEqual([mistake]);
  });

  it('counts an answer that breaks off against its endpoint', async () => {
    const { client } = await startDispatch();
    const breakOff = (attempt: OpenAttempt): void => {
      attempt.answer();
      attempt.end(reset);
    };
    for (let calls = 0; calls < 20; calls += 1) {
      client.dispatch('orders', handlerOf(breakOff), client.rules({ filter: onlyFirst }));
    }
    expect(client.endpoints('orders')?.map(({ reasons }) => reasons.passive)).toContain('unhealthy');
  });

  it('takes no answer that comes after another one, or after it was cancelled', async () => {
    const { at, call, failures } = await startDispatch();
    const enough = new Error('enough');
    call.cancel(enough);
    expect(failures).toEqual([enough]);
    expect(at(0).answer()).toBe(false);
    expect(at(0).endpoint.inFlight).toBe(0);
  });

  it('stops the attempt that was outrun by a hedge', async () => {
    const { at, attempts, clock, client } = await startDispatch({ idempotent: true, hedge: true });
    at(0).answer();
    at(0).end();
    for (let times = 0; times < 100; times += 1) {
      await client.call('orders', () => clock.advance(1), { idempotent: true });
    }
    const handler = handlerOf((attempt) => attempts.push(attempt));
    client.dispatch('orders', handler, client.rules({ idempotent: true }));
    await clock.advance(200);
    expect(attempts.map(({ kind }) => kind)).toEqual(['first', 'first', 'hedge']);
    const stopped: unknown[] = [];
    at(1).onStop((reason) => stopped.push(reason));

    expect(at(2).answer()).toBe(true);

    expect(stopped).toMatchObject([{ name: 'AbortError' }]);
    expect(at(1).answer()).toBe(false);
  });

  it('has nothing in flight when an attempt is answered while another is stopped', async () => {
    const { at, attempts, clock, client } = await startDispatch({ idempotent: true });
    at(0).answer();
    at(0).end();
    for (let times = 0; times < 100; times += 1) {
      await client.call('orders', () => clock.advance(1), { idempotent: true });
    }
    const handler = handlerOf((attempt) => attempts.push(attempt));
    const hedged = client.dispatch('orders', handler, client.rules({ idempotent: true }));
    await clock.advance(200);
    expect(attempts.map(({ kind }) => kind)).toEqual(['first', 'first', 'hedge']);
    at(1).onStop(() => expect(at(2).answer()).toBe(false));

    hedged.cancel(new Error('enough'));

    expect(client.endpoints('orders')?.map(({ inFlight }) => inFlight)).toEqual([0, 0, 0]);
  });

  it('fails by its deadline', async () => {
    const { clock, failures } = await startDispatch({ deadlineMs: 100 });
    await clock.advance(100);
    expect(failures).toMatchObject([{ code: 'ERR_SD_DEADLINE_EXCEEDED' }]);
  });

  it('fails when nobody knows the service', async () => {
    const { client, clock } = startClient();
    await client.getInstances('orders');
    const failed = new Promise((resolve) => {
      client.dispatch(
        'orders',
        handlerOf(() => undefined, resolve),
        client.rules({}),
      );
    });
    await clock.advance(100);
    expect(await failed).toBeInstanceOf(UnknownServiceError);
  });

  it('is traced as others are, with what it says of its answer', async () => {
    const calls: unknown[] = [];
    const statuses: unknown[] = [];
    const call = {
      start: () => undefined,
      end: () => undefined,
      asyncStart: () => undefined,
      error: () => undefined,
    };
    const onCall = { ...call, asyncEnd: (message: object) => calls.push({ ...message }) };
    const onAttempt = { ...call, asyncEnd: ({ status }: { status?: number }) => statuses.push(status) };
    telemetry.call.subscribe(onCall);
    telemetry.attempt.subscribe(onAttempt);
    const { at, client } = await startDispatch({ method: 'GET' });
    at(0).status = 204;
    at(0).answer();
    const handler = handlerOf((attempt) => attempt.fail(new Error('a bug')));
    client.dispatch('orders', handler, client.rules({}));
    await new Promise(setImmediate);
    telemetry.call.unsubscribe(onCall);
    telemetry.attempt.unsubscribe(onAttempt);

    expect(calls).toMatchObject([
      { service: 'orders', method: 'GET', durationMs: 0, attempts: [{ outcome: 'ok' }] },
      { service: 'orders', error: { message: 'a bug' } },
    ]);
    expect(statuses).toEqual([204, undefined]);
  });
});

const onlyFirst = { predicate: ({ port }: { port: number }) => port === 1 };

describe('onLeave', () => {
  it('tells of endpoints whose instance is gone, and of all when the client closes', async () => {
    const { client, clock, publish } = startClient();
    const gone: (string | number)[] = [];
    client.onLeave(({ id, instance }) => gone.push(id, instance.port));
    const first = await publish('orders', { id: 'a', port: 1 });
    await publish('orders', { id: 'b', port: 2 });
    await client.getInstances('orders');
    expect(gone).toEqual([]);

    await first.release();
    await clock.advance(1_000);
    expect(gone).toEqual(['a', 1]);

    await client.close();
    expect(gone).toEqual(['a', 1, 'b', 2]);
  });

  it('that throws keeps nobody else from hearing of a change, and the client from closing', async () => {
    const { client, clock, publish } = startClient();
    const gone: string[] = [];
    client.onLeave(() => {
      throw new Error('a bug');
    });
    client.onLeave(({ id }) => gone.push(id));
    const first = await publish('orders', { id: 'a', port: 1 });
    await publish('orders', { id: 'b', port: 2 });
    const changes = client.watch('orders');
    expect((await changes.next()).value).toMatchObject({ removed: [] });

    const change = changes.next();
    await first.release();
    await clock.advance(1_000);

    expect((await change).value).toMatchObject({ removed: [{ id: 'a' }] });
    await client.close();
    expect(gone).toEqual(['a', 'b']);
  });
});
