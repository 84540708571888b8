import {
  context,
  propagation,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace as api,
} from '@opentelemetry/api';
import { AlwaysOffSampler } from '@opentelemetry/sdk-trace-base';
import { telemetry } from '@sd/discovery';
import { describe, expect, it } from 'vitest';
import { failWith, startClient, trace } from './fixture.ts';

async function startOrders(count = 2) {
  const fixture = startClient();
  for (let port = 1; port <= count; port += 1) await fixture.publish('orders', port);
  await fixture.client.getInstances('orders');
  return fixture;
}

const activeSpan = () => api.getSpan(context.active())?.spanContext();

describe('a call', () => {
  it('is a span, with a span of the client for each attempt in it', async () => {
    const { spans } = trace();
    const { client } = await startOrders(1);

    await client.call('orders', () => 'ok', { method: 'GET' });

    const [attempt, call] = spans();
    expect(call).toMatchObject({
      name: 'call orders',
      kind: SpanKind.INTERNAL,
      parentSpanContext: undefined,
      attributes: { 'sd.service': 'orders', 'http.request.method': 'GET', 'sd.call.attempts': 1 },
      status: { code: SpanStatusCode.UNSET },
    });
    expect(attempt).toMatchObject({
      name: 'GET',
      kind: SpanKind.CLIENT,
      parentSpanContext: { spanId: call?.spanContext().spanId },
      attributes: {
        'sd.service': 'orders',
        'sd.instance.id': 'orders-10.0.0.1-1',
        'sd.attempt.kind': 'first',
        'sd.attempt.outcome': 'ok',
        'sd.pick.reason': 'direct',
        'server.address': '10.0.0.1',
        'server.port': 1,
        'http.request.method': 'GET',
      },
      status: { code: SpanStatusCode.UNSET },
    });
    expect(attempt?.attributes).not.toHaveProperty('http.request.resend_count');
    expect(spans()).toHaveLength(2);
  });

  it('has no word of HTTP where it is none', async () => {
    const { spans } = trace();
    const { client } = await startOrders(1);
    await client.call('orders', () => 'ok');
    expect(spans().map(({ name }) => name)).toEqual(['attempt orders', 'call orders']);
    expect(Object.keys(spans()[0]?.attributes ?? {}).filter((key) => key.startsWith('http'))).toEqual([]);
  });

  it('is part of the span that is active around it', async () => {
    const { spans, tracer } = trace();
    const { client } = await startOrders(1);
    await tracer.startActiveSpan('request', async (span) => {
      await client.call('orders', () => 'ok');
      expect(activeSpan()).toEqual(span.spanContext());
      span.end();
    });
    const [, call, request] = spans();
    expect(call?.parentSpanContext?.spanId).toBe(request?.spanContext().spanId);
  });

  it('is told apart from others that run at the same time and within it', async () => {
    const { spans } = trace();
    const { client, publish } = await startOrders(1);
    await publish('users', 7);
    await client.getInstances('users');

    const nested = () => client.call('users', () => Promise.resolve('ok'));
    await Promise.all([client.call('orders', nested), client.call('orders', nested)]);

    const named = (name: string) => spans().filter((span) => span.name === name);
    const parents = (name: string) => named(name).map(({ parentSpanContext }) => parentSpanContext?.spanId);
    const ids = (name: string) => named(name).map((span) => span.spanContext().spanId);
    expect(parents('attempt users').sort()).toEqual(ids('call users').sort());
    expect(parents('call users').sort()).toEqual(ids('attempt orders').sort());
    expect(parents('attempt orders').sort()).toEqual(ids('call orders').sort());
    expect(parents('call orders')).toEqual([undefined, undefined]);
  });
});

describe('an attempt', () => {
  it('has its span active while its work runs, also after a wait', async () => {
    const { spans } = trace();
    const { client } = await startOrders(1);
    const seen: (string | undefined)[] = [];
    await client.call('orders', async () => {
      seen.push(activeSpan()?.spanId);
      await Promise.resolve();
      seen.push(activeSpan()?.spanId);
    });
    const id = spans()[0]?.spanContext().spanId;
    expect(seen).toEqual([id, id]);
    expect(activeSpan()).toBeUndefined();
  });

  it('carries its own context to the instance', async () => {
    const { spans } = trace();
    const { client } = await startOrders(1);
    const headers = await client.call('orders', (attempt) => attempt.headers);
    const sent = api.getSpanContext(propagation.extract(ROOT_CONTEXT, headers));
    expect(sent?.spanId).toBe(spans()[0]?.spanContext().spanId);
    expect(sent?.traceFlags).toBe(1);
  });

  it('carries the context of one that is not sampled as well', async () => {
    const { spans } = trace({ sampler: new AlwaysOffSampler() });
    const { client } = await startOrders(1);
    const headers = await client.call('orders', (attempt) => attempt.headers);
    expect(headers).toMatchObject({
      traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/) as string,
    });
    expect(spans()).toEqual([]);
  });

  it('carries nothing when that is not wanted', async () => {
    trace({ propagate: false });
    const { client } = await startOrders(1);
    expect(await client.call('orders', (attempt) => attempt.headers)).toBeUndefined();
  });

  it('is, when it is repeated, beside the one before, linked to it and counted', async () => {
    const { spans } = trace();
    const { client } = await startOrders();

    await client.call('orders', ({ number }) => (number === 1 ? failWith('ECONNREFUSED') : 'ok'), {
      method: 'POST',
    });

    const [first, second, call] = spans();
    expect(call?.attributes['sd.call.attempts']).toBe(2);
    expect(first).toMatchObject({
      name: 'POST',
      attributes: { 'sd.attempt.outcome': 'connect-failure', 'error.type': 'connect-failure' },
      status: { code: SpanStatusCode.ERROR, message: 'connect ECONNREFUSED 10.0.0.1:1' },
      events: [{ name: 'exception' }],
      parentSpanContext: { spanId: call?.spanContext().spanId },
    });
    expect(second).toMatchObject({
      attributes: { 'sd.attempt.kind': 'retry', 'http.request.resend_count': 1 },
      links: [{ context: { spanId: first?.spanContext().spanId } }],
      parentSpanContext: { spanId: call?.spanContext().spanId },
    });
  });

  it('has the status of its answer, which is an error from 400 on', async () => {
    const { spans } = trace();
    const { client } = await startOrders(1);
    await client.call('orders', (attempt) => void (attempt.status = 404), { method: 'GET' });
    expect(spans()[0]).toMatchObject({
      attributes: { 'http.response.status_code': 404, 'error.type': '404', 'sd.attempt.outcome': 'ok' },
      status: { code: SpanStatusCode.ERROR },
      events: [],
    });
    expect(spans()[1]?.status.code).toBe(SpanStatusCode.UNSET);
  });

  it('names an unusual method beside its span, whose name stays one of few', async () => {
    const { spans } = trace();
    const { client } = await startOrders(1);
    await client.call('orders', () => 'ok', { method: 'PURGE' });
    expect(spans()[0]).toMatchObject({
      name: 'HTTP',
      attributes: { 'http.request.method': '_OTHER', 'http.request.method_original': 'PURGE' },
    });
  });

  it('that is told of at its end, as by gRPC, has taken as long as is said', async () => {
    const { spans } = trace();
    const { client } = await startOrders(1);
    const endpoints = client.open('orders');
    const endpoint = endpoints.pick();
    if (endpoint !== undefined) endpoints.done(endpoint, 'ok', 200);
    endpoints.close();
    const [seconds, nanoseconds] = spans()[0]?.duration ?? [0, 0];
    expect(seconds * 1_000 + nanoseconds / 1e6).toBeGreaterThanOrEqual(199);
  });

  it('is no error when it is cancelled because another was faster', async () => {
    const { spans } = trace();
    const { client, clock } = await startOrders();
    for (let time = 0; time < 40; time += 1) await client.call('orders', () => 'ok', { idempotent: true });
    const before = spans().length;

    const call = client.call(
      'orders',
      ({ kind }) => (kind === 'hedge' ? 'ok' : new Promise(() => undefined)),
      { idempotent: true },
    );
    await clock.advance(1_000);
    expect(await call).toBe('ok');

    const [late, hedge] = spans().slice(before);
    const byKind = [late, hedge].sort((one, two) => kindOf(one).localeCompare(kindOf(two)));
    expect(byKind).toMatchObject([
      { attributes: { 'sd.attempt.outcome': 'cancelled' }, status: { code: SpanStatusCode.UNSET } },
      { attributes: { 'sd.attempt.kind': 'hedge' }, links: [{}] },
    ]);
  });
});

describe('a call that fails', () => {
  it('has the error that its caller gets', async () => {
    const { spans } = trace();
    const { client } = await startOrders(1);
    await expect(client.call('orders', () => failWith('ECONNRESET'), { retries: 0 })).rejects.toThrow();
    expect(spans().at(-1)).toMatchObject({
      attributes: { 'error.type': 'ERR_SD_CONNECTION' },
      status: { code: SpanStatusCode.ERROR, message: expect.stringContaining('ECONNRESET') as string },
      events: [{ name: 'exception' }],
    });
  });

  it('is no error when its caller cancelled it', async () => {
    const { spans } = trace();
    const { client, clock } = await startOrders(1);
    const end = new AbortController();
    const call = client.call('orders', () => new Promise(() => undefined), { signal: end.signal });
    call.catch(() => undefined);
    await clock.advance(5);
    end.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    expect(spans().at(-1)).toMatchObject({
      attributes: { 'error.type': 'cancelled' },
      status: { code: SpanStatusCode.UNSET },
    });
  });
});

describe('a call is cancelled if its caller ended it, and only then:', () => {
  const outcome = (span: { attributes: object; status: { code: number } } | undefined) => [
    (span?.attributes as Record<string, unknown>)['error.type'],
    span?.status.code,
  ];

  it('before there was an attempt, for a reason of its own', async () => {
    const { spans } = trace();
    const { client, clock } = startClient();
    const end = new AbortController();
    const call = client.call('nobody', () => 'ok', { signal: end.signal });
    call.catch(() => undefined);
    await clock.advance(5);
    end.abort(new Error('the user left'));
    await expect(call).rejects.toThrow('the user left');
    expect(outcome(spans().at(-1))).toEqual(['cancelled', SpanStatusCode.UNSET]);
  });

  it('in the pause before a retry', async () => {
    const { spans } = trace();
    const { client } = await startOrders(1);
    const end = new AbortController();
    const call = client.call('orders', () => failWith('ECONNRESET'), {
      idempotent: true,
      signal: end.signal,
    });
    call.catch(() => undefined);
    await new Promise((resolve) => setImmediate(resolve));
    end.abort();
    await expect(call).rejects.toThrow('aborted');
    expect(outcome(spans().at(-1))).toEqual(['cancelled', SpanStatusCode.UNSET]);
  });

  it('not when a bug of its work ends it, and with it a hedge', async () => {
    const { spans } = trace();
    const { client, clock } = await startOrders();
    for (let time = 0; time < 40; time += 1) await client.call('orders', () => 'ok', { idempotent: true });
    let fail = (): void => undefined;
    const work = ({ kind }: { readonly kind: string }) =>
      new Promise((_, reject) => {
        if (kind === 'first') fail = () => reject(new TypeError('x.y is not a function'));
      });
    const call = client.call('orders', work, { idempotent: true });
    call.catch(() => undefined);
    await clock.advance(1_000);
    fail();
    await expect(call).rejects.toThrow('x.y is not a function');
    const last = spans().findLast(({ name }) => name === 'call orders');
    expect(outcome(last)).toEqual(['_OTHER', SpanStatusCode.ERROR]);
  });
});

it('ends the spans of what is under way when it is stopped, and makes no more', async () => {
  const { spans, instrumentation } = trace();
  const { client } = await startOrders(1);
  let answer = (): void => undefined;
  const call = client.call('orders', () => new Promise<void>((resolve) => (answer = resolve)));
  instrumentation.stop();
  expect(spans().map(({ name }) => name)).toEqual(['attempt orders', 'call orders']);
  answer();
  await call;
  await client.call('orders', () => 'ok');
  expect(spans()).toHaveLength(2);
  expect(telemetry.call.hasSubscribers).toBe(false);
  expect(telemetry.attempt.hasSubscribers).toBe(false);
});

function kindOf(span: { readonly attributes: Readonly<Record<string, unknown>> } | undefined): string {
  return span?.attributes['sd.attempt.kind'] === 'hedge' ? 'z' : 'a';
}
