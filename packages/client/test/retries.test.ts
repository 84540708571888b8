import { AttemptTimeoutError, ConnectionError, DeadlineExceededError } from '@sd/discovery';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { HttpStatusError, UnusableAddressError } from '../src/index.ts';
import { answering, closedPort, counted, echo, portOf, startService } from './fixture.ts';

const hang = (): void => undefined;

describe('a call that failed', () => {
  it.each([408, 429, 502, 503, 504])('with %s is repeated on another instance', async (status) => {
    const bad = counted(answering(status));
    const good = counted(echo);
    const { client } = await startService([bad.handler, good.handler]);

    const responses = await Promise.all([client.get('/'), client.get('/')]);

    expect(responses.map(({ attempts }) => attempts).sort()).toEqual([1, 2]);
    expect([bad.count(), good.count()]).toEqual([1, 2]);
  });

  it.each([400, 401, 404, 500, 501])('with %s is not repeated', async (status) => {
    const bad = counted(answering(status));
    const { client } = await startService([bad.handler]);
    await expect(client.get('/')).rejects.toMatchObject({ status });
    expect(bad.count()).toBe(1);
  });

  it('because the connection broke off is repeated on another instance', async () => {
    const bad = counted((request) => request.socket.destroy());
    const { client } = await startService([bad.handler, echo]);
    const responses = await Promise.all([client.get('/'), client.get('/')]);
    expect(responses.map(({ status }) => status)).toEqual([200, 200]);
    expect(bad.count()).toBe(1);
  });

  it.each([
    ['POST', {}, 1],
    ['PATCH', {}, 1],
    ['POST', { idempotent: true }, 3],
    ['GET', { idempotent: false }, 1],
    ['PUT', {}, 3],
    ['DELETE', {}, 3],
  ])(
    'and may have had an effect is repeated only if it is idempotent: %s %s',
    async (method, options, attempts) => {
      const bad = counted(answering(503));
      const { client } = await startService([bad.handler]);
      await expect(client.request(method, '/', options)).rejects.toThrow(HttpStatusError);
      expect(bad.count()).toBe(attempts);
    },
  );

  it('because the connection never opened is repeated whatever it is', async () => {
    const { client, publish } = await startService([echo]);
    await publish({ port: await closedPort() });

    const responses = await Promise.all([client.post('/'), client.post('/')]);

    expect(responses.map(({ attempts }) => attempts).sort()).toEqual([1, 2]);
  });

  it('everywhere rejects with the last answer', async () => {
    const { client } = await startService([answering(503, { who: 1 }), answering(503, { who: 2 })]);
    await expect(client.get('/')).rejects.toMatchObject({ status: 503, response: { attempts: 3 } });
  });

  it('everywhere in the network rejects with each attempt', async () => {
    const { client, publish } = await startService([]);
    await publish({ port: await closedPort() });

    const call = client.get('/', { retries: 1 });

    await expect(call).rejects.toThrow(ConnectionError);
    await expect(call).rejects.toMatchObject({
      cause: { code: 'ECONNREFUSED' },
      attempts: [{ outcome: 'connect-failure' }, { outcome: 'connect-failure' }],
    });
  });

  it('is not repeated when its body is a stream', async () => {
    const bad = counted((request, response) => {
      request.resume();
      answering(503)(request, response);
    });
    const { client } = await startService([bad.handler]);
    await expect(client.put('/', { body: Readable.from(['once']) })).rejects.toThrow(HttpStatusError);
    expect(bad.count()).toBe(1);
  });

  it('sends its whole body again', async () => {
    const { client } = await startService([
      (request, response) => {
        request.resume();
        answering(503)(request, response);
      },
      echo,
    ]);
    const bodies = await Promise.all([
      client.put('/', { json: { id: 1 } }).json<{ body: string }>(),
      client.put('/', { json: { id: 1 } }).json<{ body: string }>(),
    ]);
    expect(bodies.map(({ body }) => body)).toEqual(['{"id":1}', '{"id":1}']);
  });
});

describe('Retry-After', () => {
  it('is waited for', async () => {
    const arrivals: number[] = [];
    const { client } = await startService([
      (_request, response) => {
        arrivals.push(performance.now());
        answering(arrivals.length === 1 ? 503 : 200, {}, { 'retry-after': '1' })(_request, response);
      },
    ]);

    await client.get('/');

    const [first = 0, second = 0] = arrivals;
    expect(second - first).toBeGreaterThanOrEqual(990);
  });

  it('of one instance sends the call to another at once, and spares that one', async () => {
    const bad = counted(answering(503, {}, { 'retry-after': '3' }));
    const { client } = await startService([bad.handler, answering(200, {}), answering(200, {})]);
    const startedAt = performance.now();

    for (let call = 0; call < 12; call += 1) await client.get('/');

    expect(performance.now() - startedAt).toBeLessThan(2_500);
    expect(bad.count()).toBe(1);
  });

  it('of a 429 holds for the whole service', async () => {
    const arrivals: number[] = [];
    const limited: RequestListener = (request, response) => {
      arrivals.push(performance.now());
      answering(arrivals.length === 1 ? 429 : 200, {}, { 'retry-after': '1' })(request, response);
    };
    const { client } = await startService([limited, limited]);

    await client.get('/');

    const [first = 0, second = 0] = arrivals;
    expect(second - first).toBeGreaterThanOrEqual(990);
  });

  it('that does not fit into the deadline ends the call at once', async () => {
    const bad = counted(answering(429, {}, { 'retry-after': '3600' }));
    const { client } = await startService([bad.handler]);
    await expect(client.get('/')).rejects.toMatchObject({ status: 429 });
    expect(bad.count()).toBe(1);
  });
});

describe('an instance that hangs', () => {
  it('costs a call one attempt timeout, and it is answered elsewhere', async () => {
    const { client } = await startService([hang, echo], { attemptTimeoutMs: 100 });
    const responses = await Promise.all([client.get('/'), client.get('/')]);
    expect(responses.map(({ attempts }) => attempts).sort()).toEqual([1, 2]);
  });

  it('ends a call that is not idempotent with a timeout', async () => {
    const { client } = await startService([hang], { attemptTimeoutMs: 50 });
    await expect(client.post('/')).rejects.toThrow(AttemptTimeoutError);
  });

  it('everywhere ends a call at its deadline', async () => {
    const { client } = await startService([hang, hang], { attemptTimeoutMs: 60, deadlineMs: 100 });
    await expect(client.get('/')).rejects.toThrow(DeadlineExceededError);
  });
});

describe('a cancelled call', () => {
  it('rejects with the reason, closes its connection and is not repeated', async () => {
    const caller = new AbortController();
    const server = counted((request) => {
      request.socket.once('close', () => connectionClosed());
      caller.abort(new Error('lost interest'));
    });
    let connectionClosed = (): void => undefined;
    const closed = new Promise<void>((resolve) => (connectionClosed = resolve));
    const { client } = await startService([server.handler, server.handler]);

    await expect(client.get('/', { signal: caller.signal })).rejects.toThrow('lost interest');

    await closed;
    expect(server.count()).toBe(1);
  });
});

describe('a call that was redirected', () => {
  it('is not repeated without being idempotent when nobody is there, as it may have had an effect', async () => {
    // It is gone when the client comes to the place that it was told.
    const redirecting = counted((request, response) => {
      request.resume();
      server.close();
      response.writeHead(303, { location: '/elsewhere', connection: 'close' }).end();
    });
    const server = createServer(redirecting.handler).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { client, discovery, publish } = await startService([]);
    await publish({ port: portOf(server.address()) });

    await expect(client.post('/', { json: 1 })).rejects.toThrow(ConnectionError);

    expect(redirecting.count()).toBe(1);
    const endpoint = await discovery.call('orders', (attempt) => attempt.endpoint);
    expect(endpoint.ejected).toBe(false);
  });
});

describe('an instance at an address that no URL can have', () => {
  it('costs a call one attempt, and it is answered elsewhere', async () => {
    const { client, publish } = await startService([echo]);
    await publish({ host: 'fe80::1%eth0', port: 1 });
    const responses = await Promise.all([client.post('/'), client.post('/')]);
    expect(responses.map(({ attempts }) => attempts).sort()).toEqual([1, 2]);
  });

  it('is named when it is the only one', async () => {
    const { client, publish } = await startService([]);
    await publish({ host: 'fe80::1%eth0', port: 1 });
    await expect(client.get('/', { retries: 0 })).rejects.toThrow(UnusableAddressError);
  });
});

describe('a secret', () => {
  const headers = { authorization: 'Bearer s3cret' };

  it('in a header is not in the error of a failed call, however deep that is printed', async () => {
    const { client, publish } = await startService([], { headers });
    await publish({ port: await closedPort() });
    const error: unknown = await client.get('/', { retries: 0 }).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(ConnectionError);
    expect(inspect(error, { depth: 10 })).not.toContain('s3cret');
  });

  it('in a header is not in the error of a body that breaks off', async () => {
    const { client } = await startService(
      [
        (request, response) => {
          response.writeHead(200, { 'content-length': '100' }).write('half');
          setImmediate(() => request.socket.destroy());
        },
      ],
      { headers },
    );
    const { body } = await client.stream('GET', '/');
    const error: unknown = await text(body).catch((caught: unknown) => caught);
    expect(error).toBeInstanceOf(Error);
    expect(inspect(error, { depth: 10 })).not.toContain('s3cret');
  });

  it('in the query of a path is not in a message', async () => {
    const { client } = await startService([answering(404)]);
    await expect(client.get('/items?token=s3cret')).rejects.toThrow(/^GET \/items of "orders" answered 404/);
  });
});
