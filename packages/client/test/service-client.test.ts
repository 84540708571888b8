import { ClosedError } from '@sd/core';
import { UnknownServiceError } from '@sd/discovery';
import { Readable } from 'node:stream';
import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { HttpStatusError, ResponseBodyError, ServiceClient, UnsupportedProtocolError } from '../src/index.ts';
import { answering, counted, echo, listen, startService } from './fixture.ts';

interface Echo {
  readonly method: string;
  readonly url: string;
  readonly headers: Record<string, string>;
  readonly body: string;
}

describe('a request', () => {
  it.each(['get', 'post', 'put', 'patch', 'delete'] as const)('is sent as %s', async (method) => {
    const { client } = await startService([echo]);
    expect(await client[method]('/items').json<Echo>()).toMatchObject({
      method: method.toUpperCase(),
      url: '/items',
    });
  });

  it('is answered without a body for head', async () => {
    const { client } = await startService([echo]);
    expect(await client.head('/items')).toMatchObject({ status: 200, body: { length: 0 } });
  });

  it('carries JSON, a form, text or bytes', async () => {
    const { client } = await startService([echo]);

    const sent = await Promise.all([
      client.post('/', { json: { id: 1 } }).json<Echo>(),
      client.post('/', { form: { id: 1, ok: true } }).json<Echo>(),
      client.post('/', { body: 'plain' }).json<Echo>(),
      client.post('/', { body: new TextEncoder().encode('bytes') }).json<Echo>(),
    ]);

    expect(sent.map(({ body }) => body)).toEqual(['{"id":1}', 'id=1&ok=true', 'plain', 'bytes']);
    expect(sent[0].headers['content-type']).toBe('application/json');
    expect(sent[1].headers['content-type']).toBe('application/x-www-form-urlencoded');
  });

  it.each([
    ['/api/v1', '/items', '/api/v1/items'],
    ['api/v1/', 'items', '/api/v1/items'],
    ['', '', '/'],
    ['/api', '', '/api'],
    ['/api', '?page=2', '/api?page=2'],
    [undefined, '/a b', '/a%20b'],
    [undefined, '//evil.example/x', '//evil.example/x'],
    [undefined, '@evil.example/x', '/@evil.example/x'],
  ])('goes below the base path %s: %s', async (basePath, path, url) => {
    const { client } = await startService([echo], { basePath });
    expect((await client.get(path).json<Echo>()).url).toBe(url);
  });

  it.each([
    [{ q: 'ä b', page: 2, all: true }, '/?q=%C3%A4+b&page=2&all=true'],
    [
      new URLSearchParams([
        ['tag', 'a'],
        ['tag', 'b'],
      ]),
      '/?tag=a&tag=b',
    ],
  ])('carries search parameters', async (searchParams, url) => {
    const { client } = await startService([echo]);
    expect((await client.get('/', { searchParams }).json<Echo>()).url).toBe(url);
  });

  it('adds search parameters to those of the path', async () => {
    const { client } = await startService([echo]);
    const { url } = await client.get('/?page=1', { searchParams: { size: 2 } }).json<Echo>();
    expect(url).toBe('/?page=1&size=2');
  });

  it('carries the default headers, which a call may replace or take away', async () => {
    const { client } = await startService([echo], { headers: { 'x-a': '1', 'X-B': '2', 'x-c': '3' } });

    const { headers } = await client.get('/', { headers: { 'x-b': 'mine', 'x-c': undefined } }).json<Echo>();

    expect(headers).toMatchObject({ 'x-a': '1', 'x-b': 'mine' });
    expect(headers).not.toHaveProperty('x-c');
  });

  it('reaches an instance on IPv6', async () => {
    const { client, publish } = await startService([]);
    const port = await listen(echo, '::1');
    await publish({ host: '::1', port });

    expect((await client.get('/').json<Echo>()).headers['host']).toBe(`[::1]:${port}`);
  });

  it('says which instance answered, at which attempt', async () => {
    const { client, ports } = await startService([echo]);
    expect(await client.get('/')).toMatchObject({ instance: { port: ports[0] }, attempts: 1 });
  });

  it('goes around all instances', async () => {
    const { client, ports } = await startService([echo, echo, echo]);
    const seen = await Promise.all(
      Array.from({ length: 6 }, async () => (await client.get('/')).instance.port),
    );
    expect([...seen].sort()).toEqual([...ports, ...ports].sort());
  });
});

describe('an answer', () => {
  it('is read as JSON, text or bytes', async () => {
    const { client } = await startService([answering(200, { id: 'ä' })]);

    expect(await client.get('/').json()).toEqual({ id: 'ä' });
    expect(await client.get('/').text()).toBe('{"id":"ä"}');
    expect(await client.get('/').bytes()).toEqual(Buffer.from('{"id":"ä"}'));
  });

  it('without a body is undefined as JSON', async () => {
    const { client } = await startService([(_request, response) => response.writeHead(204).end()]);
    expect(await client.get('/').json()).toBeUndefined();
  });

  it('that is not JSON rejects with the status and type it has', async () => {
    const { client } = await startService([(_request, response) => response.end('<html>')]);
    const json = client.get('/').json();
    await expect(json).rejects.toThrow(ResponseBodyError);
    await expect(json).rejects.toMatchObject({ response: { status: 200 }, service: 'orders' });
  });

  it('of 400 or above rejects, with status, body and endpoint', async () => {
    const { client, ports } = await startService([answering(404, { reason: 'gone' })]);

    const error: unknown = await client.get('/items/1').catch((caught: unknown) => caught);

    expect(error).toBeInstanceOf(HttpStatusError);
    expect(error).toMatchObject({
      message: `GET /items/1 of "orders" answered 404 (127.0.0.1:${ports[0]})`,
      status: 404,
      service: 'orders',
      endpoint: `127.0.0.1:${ports[0]}`,
    });
    expect(error instanceof HttpStatusError && error.response.json()).toEqual({ reason: 'gone' });
  });

  it.each([404, 500, 503])('of %s is returned when the caller wants no error', async (status) => {
    const { client } = await startService([answering(status, { n: 1 })]);
    const response = await client.get('/', { throwHttpErrors: false, retries: 0 });
    expect(response).toMatchObject({ status });
    expect(response.json()).toEqual({ n: 1 });
  });

  it('that moved to another origin is returned, and its new place sees nothing of the request', async () => {
    const stranger = counted(echo);
    const port = await listen(stranger.handler);
    const { client } = await startService([
      (_request, response) => response.writeHead(302, { location: `http://127.0.0.1:${port}/` }).end(),
    ]);
    expect(await client.get('/', { headers: { 'x-api-key': 'secret' } })).toMatchObject({ status: 302 });
    expect(stranger.count()).toBe(0);
  });

  it('that moved is followed', async () => {
    const { client } = await startService([
      (request, response) => {
        if (request.url === '/old') response.writeHead(302, { location: '/new' }).end();
        else echo(request, response);
      },
    ]);
    expect((await client.get('/old').json<Echo>()).url).toBe('/new');
  });
});

describe('bad input', () => {
  it.each([
    ['path', 'https://example.org/x', {}],
    ['body', '/', { body: 7 }],
    ['searchParams', '/', { searchParams: 'a=b' }],
    ['headers.x', '/', { headers: { x: 1 } }],
    ['headers', '/', { headers: new Headers({ x: '1' }) }],
    ['headers', '/', { headers: new Map([['x', '1']]) }],
    ['retries', '/', { retries: -1 }],
    ['attemptTimeoutMs', '/', { attemptTimeoutMs: 'fast' }],
    ['', '/', { json: 1, body: 'x' }],
    ['timeoutMs', '/', { timeoutMs: 5 }],
    ['', '/', null],
    ['strategy', '/', { strategy: 'random' }],
    ['method', '/', { json: 1 }],
    ['headers.bad name', '/', { headers: { 'bad name': 'x' } }],
    ['headers.x', '/', { headers: { x: 'a\r\nb: c' } }],
  ])('of a request is named: %s', async (field, path, options) => {
    const { client } = await startService([echo]);
    // @ts-expect-error -- wrong on purpose
    await expect(client.get(path, options)).rejects.toMatchObject({ code: 'ERR_SD_CONFIG', field });
  });

  it.each([
    ['json', { json: circular() }],
    ['json', { json: 1n }],
    ['json', { json: () => 1 }],
    ['body', { body: Readable.from(['x']).destroy() }],
  ])('of a body is named, and no attempt is made: %s', async (field, options) => {
    const server = counted(echo);
    const { client } = await startService([server.handler]);
    await expect(client.put('/', options)).rejects.toMatchObject({ code: 'ERR_SD_CONFIG', field });
    expect(server.count()).toBe(0);
  });

  it('of a header does not show the value, which may be a secret', async () => {
    const { client } = await startService([echo]);
    const error: unknown = await client
      .get('/', { headers: { cookie: 's3cret\n' } })
      .catch((caught: unknown) => caught);
    expect(inspect(error)).toContain('headers.cookie');
    expect(inspect(error)).not.toContain('s3cret');
  });

  it.each(['/../admin', '..', '/a/../../admin', '/%2e%2e/admin', '/\\..\\..\\admin'])(
    'of a path that leaves the base path is refused: %s',
    async (path) => {
      const { client } = await startService([echo], { basePath: '/api/v1' });
      await expect(client.get(path)).rejects.toMatchObject({ code: 'ERR_SD_CONFIG', field: 'path' });
    },
  );

  it('of a method is refused', async () => {
    const { client } = await startService([echo]);
    await expect(client.request('GET /', '/')).rejects.toMatchObject({
      code: 'ERR_SD_CONFIG',
      field: 'method',
    });
  });

  it('of a client is named', async () => {
    const { discovery } = await startService([]);
    const wrong: readonly (readonly [string, object])[] = [
      ['discovery', { service: 'orders' }],
      ['service', { service: '', discovery }],
      ['service', { service: 'a/b', discovery }],
      ['strategy', { service: 'orders', discovery, strategy: 'fastest' }],
      ['version', { service: 'orders', discovery, filter: { version: '>>1' } }],
      ['basePath', { service: 'orders', discovery, basePath: 'http://evil.example/' }],
      ['https', { service: 'orders', discovery, https: { bogus: 1 } }],
      ['basePath', { service: 'orders', discovery, basePath: '/x?y' }],
      ['headers.a', { service: 'orders', discovery, headers: { a: 1 } }],
      ['headers.b', { service: 'orders', discovery, headers: { b: '\n' } }],
      ['connectTimeoutMs', { service: 'orders', discovery, connectTimeoutMs: 0 }],
      ['timeout', { service: 'orders', discovery, timeout: 5 }],
      ['transport', { service: 'orders', discovery, transport: () => undefined }],
    ];
    for (const [field, options] of wrong) {
      // @ts-expect-error -- wrong on purpose
      expect(() => new ServiceClient(options)).toThrow(
        expect.objectContaining({ code: 'ERR_SD_CONFIG', field }),
      );
    }
  });

  it('of an unknown service says so', async () => {
    const { client } = await startService([]);
    await expect(client.get('/')).rejects.toThrow(UnknownServiceError);
  });

  it('of an instance with another protocol says so', async () => {
    const { client, publish } = await startService([]);
    await publish({ port: 5_000, protocol: 'grpc' });
    await expect(client.get('/')).rejects.toThrow(UnsupportedProtocolError);
  });
});

describe('close', () => {
  it('refuses calls afterwards', async () => {
    const { client } = await startService([echo]);
    await client.close();
    await client.close();
    await expect(client.get('/')).rejects.toThrow(ClosedError);
    await expect(client.stream('GET', '/')).rejects.toThrow(ClosedError);
  });

  it('ends calls under way', async () => {
    let arrived = (): void => undefined;
    const arrival = new Promise<void>((resolve) => (arrived = resolve));
    const { client } = await startService([() => arrived()]);
    const call = client.get('/');
    const rejection = expect(call).rejects.toThrow(ClosedError);
    await arrival;

    await client.close();

    await rejection;
  });
});

function circular(): object {
  const ring: { self?: object } = {};
  ring.self = ring;
  return ring;
}
