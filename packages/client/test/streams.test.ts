import { getEventListeners } from 'node:events';
import type { RequestListener } from 'node:http';
import { PassThrough, Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { HttpStatusError } from '../src/index.ts';
import { answering, echo, startService } from './fixture.ts';

describe('a streamed answer', () => {
  it('is there when its head is, before its body', async () => {
    let finish = (): void => undefined;
    const { client } = await startService([
      (_request, response) => {
        response.writeHead(200, { 'x-a': '1' }).write('first ');
        finish = () => response.end('last');
      },
    ]);

    const { status, headers, body } = await client.stream('GET', '/');
    finish();

    expect([status, headers['x-a'], await text(body)]).toEqual([200, '1', 'first last']);
  });

  it.each(['GET', 'POST', 'PUT', 'DELETE'])('may answer %s', async (method) => {
    const { client } = await startService([echo]);
    const { body } = await client.stream(method, '/');
    expect(JSON.parse(await text(body))).toMatchObject({ method });
  });

  it('may answer a streamed body', async () => {
    const { client } = await startService([(request, response) => request.pipe(response)]);
    const { body } = await client.stream('POST', '/', { body: Readable.from(['a', 'b', 'c']) });
    expect(await text(body)).toBe('abc');
  });

  it('keeps its endpoint in flight until its end', async () => {
    let finish = (): void => undefined;
    const { client, discovery } = await startService([
      (_request, response) => {
        response.write('…');
        finish = () => response.end();
      },
    ]);
    const { body } = await client.stream('GET', '/');
    const endpoint = await discovery.call('orders', (attempt) => attempt.endpoint);
    expect(endpoint.inFlight).toBe(1);

    finish();
    await text(body);

    await vi.waitFor(() => expect(endpoint.inFlight).toBe(0));
  });

  it('is repeated elsewhere as long as there is no head', async () => {
    const { client } = await startService([answering(503), echo]);
    const answers = await Promise.all([client.stream('GET', '/'), client.stream('GET', '/')]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect(answers.map(({ attempts }) => attempts).sort()).toEqual([1, 2]);
    for (const { body } of answers) body.destroy();
  });

  it('of 400 or above rejects with its body', async () => {
    const { client } = await startService([answering(404, { reason: 'gone' })]);
    const error: unknown = await client.stream('GET', '/').catch((caught: unknown) => caught);
    expect(error instanceof HttpStatusError && error.response.json()).toEqual({ reason: 'gone' });
  });

  it('of 400 or above is a stream too when the caller wants no error', async () => {
    const { client } = await startService([answering(404, { reason: 'gone' })]);
    const { status, body } = await client.stream('GET', '/', { throwHttpErrors: false });
    expect([status, await text(body)]).toEqual([404, '{"reason":"gone"}']);
  });

  it('fails when the connection breaks off in its midst', async () => {
    const { client } = await startService([
      (request, response) => {
        response.writeHead(200, { 'content-length': '100' }).write('half');
        setImmediate(() => request.socket.destroy());
      },
    ]);
    const { body } = await client.stream('GET', '/');
    await expect(text(body)).rejects.toThrow();
  });

  it('ends when the caller cancels, or the client is closed', async () => {
    const caller = new AbortController();
    const { client } = await startService([(_request, response) => void response.write('…')]);
    const cancelled = await client.stream('GET', '/', { signal: caller.signal });
    const closed = await client.stream('GET', '/');

    caller.abort();
    await expect(text(cancelled.body)).rejects.toThrow();
    await client.close();
    await expect(text(closed.body)).rejects.toThrow();
  });

  it.each<[string, (body: Readable, caller: AbortController) => unknown]>([
    ['destroys it', (body) => body.destroy()],
    [
      'reads a part of it',
      (body) =>
        body
          .iterator()
          .next()
          .then(() => body.destroy()),
    ],
    ['hands it to somebody who leaves', (body) => pipeline(body, new PassThrough().destroy())],
    ['aborts', (_body, caller) => caller.abort()],
  ])('is no failure of its instance when its reader %s', async (_what, end) => {
    const { client, discovery, ports } = await startService([beginning, beginning]);
    const first = { predicate: ({ port }: { port: number }) => port === ports[0] };
    for (let calls = 0; calls < 200; calls += 1) await discovery.call('orders', () => 'well');
    for (let calls = 0; calls < 50; calls += 1) {
      const caller = new AbortController();
      const { body } = await client.stream('GET', '/', { signal: caller.signal, filter: first });
      body.on('error', () => undefined);
      await Promise.resolve(end(body, caller)).catch(() => undefined);
    }
    await vi.waitFor(() => expect(discovery.endpoints('orders')).toMatchObject([free, free]));
    expect(discovery.explain('orders')).toMatchObject({ ejected: 0 });
  });

  it('leaves nothing on the signal of its caller, also when it is empty and nobody reads it', async () => {
    const { client, discovery } = await startService([(_request, response) => response.writeHead(204).end()]);
    const { signal } = new AbortController();
    await client.stream('GET', '/', { signal });
    await vi.waitFor(() => expect(discovery.endpoints('orders')).toMatchObject([{ inFlight: 0 }]));
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  it('is not bounded by the deadline once its head is there', async () => {
    let finish = (): void => undefined;
    const { client } = await startService([
      (_request, response) => {
        response.write('slow ');
        finish = () => response.end('but whole');
      },
    ]);
    const { body } = await client.stream('GET', '/', { deadlineMs: 200, attemptTimeoutMs: 200 });
    setTimeout(() => finish(), 300);
    expect(await text(body)).toBe('slow but whole');
  });
});

const beginning: RequestListener = (_request, response) => void response.write('…');
const free = { inFlight: 0 };

describe('a streamed call that is answered early', () => {
  it('survives that its upload fails after the answer was read', async () => {
    let reset = (): void => undefined;
    const { client } = await startService([
      (request, response) => {
        response.writeHead(413, { 'content-length': '2' }).end('no');
        reset = () => void request.socket.resetAndDestroy();
      },
    ]);
    const unhandled = vi.fn();
    process.on('uncaughtException', unhandled);
    onTestFinished(() => void process.off('uncaughtException', unhandled));
    const upload = new Readable({ read: () => undefined });
    upload.push('first');

    await expect(client.stream('POST', '/', { body: upload })).rejects.toMatchObject({ status: 413 });
    reset();
    upload.push(Buffer.alloc(1_000_000));
    await delay(50);

    expect(unhandled).not.toHaveBeenCalled();
    expect(upload.destroyed).toBe(true);
  });
});

describe('an uploaded stream', () => {
  it.each([301, 302, 307, 308])(
    'is not sent on by a redirect with %s, which the caller gets',
    async (status) => {
      const received: string[] = [];
      const { client } = await startService([
        (request, response) => {
          received.push(request.url ?? '');
          request.resume().on('end', () => response.writeHead(status, { location: '/there' }).end());
        },
      ]);
      const answer = await client.post('/here', { body: Readable.from(['one', 'two']) });
      expect([answer.status, answer.headers.location, received]).toEqual([status, '/there', ['/here']]);
    },
  );

  it('is left out of what a 303 asks for', async () => {
    const { client } = await startService([
      (request, response) => {
        if (request.url === '/there') echo(request, response);
        else request.resume().on('end', () => response.writeHead(303, { location: '/there' }).end());
      },
    ]);
    const answer = await client.post('/here', { body: Readable.from(['one', 'two']) }).json();
    expect(answer).toMatchObject({ method: 'GET', url: '/there', body: '' });
  });

  const failing = (): Readable => new Readable({ read: () => undefined });

  it('that fails while there is no instance yet rejects the call with its error', async () => {
    const { client } = await startService([]);
    const upload = failing();
    const call = client.post('/', { body: upload });

    upload.destroy(new Error('no such file'));

    await expect(call).rejects.toThrow('no such file');
  });

  it.each(['keep-alive', 'close'])('may be answered before it has ended (%s)', async (connection) => {
    const { client } = await startService([
      (request, response) => {
        request.on('error', () => undefined);
        response.writeHead(413, { connection }).write('too ');
        setTimeout(() => response.end('large'), 50);
      },
    ]);
    const upload = new Readable({ read: () => undefined });
    upload.push('the first half');

    await expect(client.post('/', { body: upload })).rejects.toMatchObject({
      status: 413,
      response: { body: Buffer.from('too large') },
    });
  });

  it('that is destroyed without an error ends the call at once', async () => {
    const { client, discovery } = await startService([
      (request) => void request.on('error', () => undefined).resume(),
    ]);
    const upload = failing();
    upload.push('the first half');
    const call = client.post('/', { body: upload });
    await vi.waitFor(() => expect(discovery.endpoints('orders')).toMatchObject([{ inFlight: 1 }]));

    upload.destroy();

    await expect(call).rejects.toThrow(/^The body was destroyed before its end$/);
    expect(discovery.endpoints('orders')).toMatchObject([{ inFlight: 0, reasons: {} }]);
  });

  it('that fails is no fault of the instance', async () => {
    const { client, discovery } = await startService([echo]);
    const upload = failing();
    const call = client.post('/', { body: upload });

    upload.destroy(Object.assign(new Error('its source is gone'), { code: 'ECONNREFUSED' }));

    await expect(call).rejects.toThrow(/^its source is gone$/);
    const endpoint = await discovery.call('orders', (attempt) => attempt.endpoint);
    expect(endpoint.ejected).toBe(false);
  });

  it('is destroyed when the call never got to send it', async () => {
    const { client } = await startService([]);
    const upload = failing();
    await expect(client.post('/', { body: upload })).rejects.toThrow();
    expect(upload.destroyed).toBe(true);
  });
});
