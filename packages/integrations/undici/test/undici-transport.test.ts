import { HttpStatusError, ServiceClient } from '@sd/client';
import { ConfigValidationError } from '@sd/core';
import { eventually } from '@sd/testkit';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, expect, it, onTestFinished } from 'vitest';
import { undiciTransport } from '../src/index.ts';
import { answering, countConnections, echo, hanging, startService } from './fixture.ts';

async function startClient(...handlers: Parameters<typeof startService>[0]) {
  const service = await startService(handlers);
  const { discovery } = service;
  const transport = undiciTransport({ discovery });
  const client = new ServiceClient({ service: 'orders', discovery, transport, headers: { 'X-Own': '1' } });
  onTestFinished(async () => {
    await client.close();
    await transport.close();
  });
  return { ...service, client, transport };
}

describe('undiciTransport', () => {
  it("made by a function is each client's own, and ends with it", async () => {
    const { discovery } = await startService([echo]);
    const closed: unknown[] = [];
    const transport = (given: typeof discovery) => {
      const own = undiciTransport({ discovery: given });
      const close = own.close.bind(own);
      return Object.assign(own, { close: () => close().finally(() => closed.push(own)) });
    };
    const [one, two] = ['orders', 'orders'].map(
      (service) => new ServiceClient({ service, discovery, transport }),
    );
    expect((await one?.get('/'))?.status).toBe(200);

    await one?.close();
    expect(closed).toHaveLength(1);
    await two?.close();
    expect(new Set(closed).size).toBe(2);
  });

  it('sends what a ServiceClient sends, and reads what is answered', async () => {
    const { client } = await startClient(echo);
    const { status, headers, body } = await client.post('/items?a=1', {
      json: { name: 'tea' },
      searchParams: { b: 2 },
      headers: { 'x-mine': 'yes' },
    });
    expect(status).toBe(200);
    expect(headers).toHaveProperty('date');
    const {
      body: sent,
      headers: received,
      ...rest
    } = JSON.parse(Buffer.from(body).toString()) as {
      body: string;
      headers: object;
    };
    expect(JSON.parse(sent)).toEqual({ name: 'tea' });
    expect(rest).toEqual({ method: 'POST', url: '/items?a=1&b=2' });
    expect(received).toMatchObject({ 'content-type': 'application/json', 'x-own': '1', 'x-mine': 'yes' });
    expect(received).toHaveProperty('sd-timeout-ms');
  });

  it('sends paths as got does', async () => {
    const { client } = await startClient(echo);
    const urls = await Promise.all(
      ['', '?q=1', '/a b/ü', '/a#b', '/a/../b', '/{id}?q="x"&r=<y>', '//x/', '/a%2Fb?c=/d?e'].map(
        async (path) => {
          const { url } = await client.get(path).json<{ url: string }>();
          return url;
        },
      ),
    );
    expect(urls).toEqual([
      '/',
      '/?q=1',
      '/a%20b/%C3%BC',
      '/a',
      '/b',
      '/%7Bid%7D?q=%22x%22&r=%3Cy%3E',
      '//x/',
      '/a%2Fb?c=/d?e',
    ]);
  });

  it('is repeated elsewhere, and rejects with the last answer', async () => {
    const { client, instances } = await startClient(answering(503, 'a'), answering(503, 'b'));
    await expect(client.get('/')).rejects.toBeInstanceOf(HttpStatusError);
    expect(instances.map(({ requests }) => requests.length)).toEqual(expect.arrayContaining([1]));
    expect(instances.flatMap(({ requests }) => requests).length).toBeGreaterThan(1);
  });

  it('is repeated elsewhere when nobody listens', async () => {
    const { client, at } = await startClient(echo, echo);
    at(0).server.close();
    await once(at(0).server, 'close');
    for (let turn = 0; turn < 4; turn += 1) expect((await client.post('/', { body: 'x' })).status).toBe(200);
  });

  it('streams up and down', async () => {
    const { client } = await startClient(echo);
    const { status, body } = await client.stream('PUT', '/', { body: Readable.from(['a', 'b']) });
    expect(status).toBe(200);
    expect(JSON.parse(await text(body))).toMatchObject({ body: 'ab' });
  });

  it.each([
    ['HEAD', 200],
    ['GET', 204],
    ['GET', 304],
  ])('streams an answer without a body, which need not be read: %s, %s', async (method, status) => {
    const { client, discovery } = await startClient((_request, response) => response.writeHead(status).end());
    const { body } = await client.stream(method, '/');
    await eventually(() => expect(discovery.endpoints('orders')).toMatchObject([{ inFlight: 0 }]));
    expect(await text(body)).toBe('');
  });

  it('closes the connection of a call that was cancelled', async () => {
    const { client, at } = await startClient(hanging);
    const controller = new AbortController();
    const answer = client.get('/', { signal: controller.signal });
    await eventually(() => expect(at(0).requests).toHaveLength(1));
    const [socket] = await new Promise<[number]>((resolve) => {
      at(0).server.getConnections((_error, count) => resolve([count]));
    });
    expect(socket).toBe(1);
    controller.abort(new Error('enough'));
    await expect(answer).rejects.toThrow('enough');
    await eventually(async () => {
      const count = await new Promise((resolve) =>
        at(0).server.getConnections((_error, open) => resolve(open)),
      );
      expect(count).toBe(0);
    });
  });

  it('needs one connection where each call follows the answer before it', async () => {
    const { client, at } = await startClient(echo);
    const connections = countConnections(at(0));
    for (let turn = 0; turn < 10; turn += 1) await client.get('/');
    expect(connections()).toBe(1);
  });

  it('serves several clients, and ends when it is closed itself', async () => {
    const { client, discovery, transport } = await startClient(echo);
    const other = new ServiceClient({ service: 'orders', discovery, transport });
    await other.get('/');
    await other.close();
    expect((await client.get('/')).status).toBe(200);
    await transport.close();
  });

  it('takes the options that are its own', async () => {
    const { discovery } = await startService([]);
    expect(() => undiciTransport({ discovery, pool: 3 } as never)).toThrow(ConfigValidationError);
    const transport = undiciTransport({ discovery });
    expect(() => new ServiceClient({ service: 'orders', discovery, transport, connectTimeoutMs: 5 })).toThrow(
      'connectTimeoutMs',
    );
    await transport.close();
  });
});
