import { ConnectionError, UnknownServiceError } from '@sd/client';
import { ConfigValidationError } from '@sd/core';
import { eventually } from '@sd/testkit';
import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createNetServer, type Socket } from 'node:net';
import { fetch, request, setGlobalDispatcher, getGlobalDispatcher, upgrade, type Dispatcher } from 'undici';
import { describe, expect, it, onTestFinished } from 'vitest';
import { DiscoveryAgent, InsecureInstanceError } from '../src/index.ts';
import { answering, breakingOff, echo, hanging, listen, portOf, startService } from './fixture.ts';

const causeOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => undefined,
    (error: unknown) => (error instanceof Error ? error.cause : error),
  );

describe('a request to a service', () => {
  it('goes to its instances in turn', async () => {
    const { agent, instances } = await startService([echo, echo, echo]);
    for (let turn = 0; turn < 6; turn += 1) {
      const { statusCode, body } = await request('http://orders/items?page=1', { dispatcher: agent });
      expect(statusCode).toBe(200);
      expect(await body.json()).toMatchObject({ method: 'GET', url: '/items?page=1' });
    }
    expect(instances.map(({ requests }) => requests.length)).toEqual([2, 2, 2]);
  });

  it('is made by the fetch of Node as well, once the agent is the global dispatcher', async () => {
    const { agent, at } = await startService([echo]);
    const before = getGlobalDispatcher();
    setGlobalDispatcher(agent);
    onTestFinished(() => setGlobalDispatcher(before));
    const response = await globalThis.fetch('http://orders/items', { method: 'POST', body: 'hello' });
    expect(await response.json()).toMatchObject({ method: 'POST', body: 'hello' });
    expect(at(0).requests).toEqual(['POST /items']);
  });

  it('says how long its caller waits, and sends what tracers want sent along', async () => {
    const { agent } = await startService([echo], { attemptTimeoutMs: 4_000 });
    const { body } = await request('http://orders/', { dispatcher: agent, headers: ['x-own', '1'] });
    const { headers } = (await body.json()) as { headers: Record<string, string> };
    expect(headers).toMatchObject({ 'x-own': '1' });
    expect(Number(headers['sd-timeout-ms'])).toBeGreaterThan(3_000);
    expect(Number(headers['sd-timeout-ms'])).toBeLessThanOrEqual(4_000);
  });

  it('has no such header where none is wanted or nobody waits less than for ever, and keeps that of its caller', async () => {
    for (const options of [
      { deadlineHeader: false },
      { deadlineMs: Infinity, attemptTimeoutMs: Infinity },
    ] as const) {
      const { agent } = await startService([echo], options);
      const plain = await request('http://orders/', { dispatcher: agent });
      expect(((await plain.body.json()) as { headers: object }).headers).not.toHaveProperty('sd-timeout-ms');
    }

    const { agent: other } = await startService([echo]);
    for (const headers of [
      { 'sd-timeout-ms': '7' },
      { 'SD-Timeout-Ms': '7' },
      ['SD-Timeout-Ms', '7'],
      new Headers({ 'SD-Timeout-Ms': '7' }),
    ]) {
      const own = await request('http://orders/', { dispatcher: other, headers });
      expect(await own.body.json()).toMatchObject({ headers: { 'sd-timeout-ms': '7' } });
    }
  });

  it('has all values of a header of its caller', async () => {
    const { agent } = await startService([echo]);
    const { body } = await request('http://orders/', { dispatcher: agent, headers: { 'x-own': ['1', '2'] } });
    expect(await body.json()).toMatchObject({ headers: { 'x-own': '1, 2' } });
  });

  it('is repeated on another instance after an answer that is no good', async () => {
    const { agent, instances } = await startService([answering(503, 'no'), answering(503, 'no'), echo]);
    const { statusCode } = await request('http://orders/', { dispatcher: agent });
    expect(statusCode).toBe(200);
    expect(instances.at(-1)?.requests).toHaveLength(1);
  });

  it('gets the last answer where none is good, as it is', async () => {
    const { agent } = await startService([answering(503, 'too busy', { 'x-why': 'load' })]);
    const response = await fetch('http://orders/', { dispatcher: agent });
    expect([response.status, response.headers.get('x-why'), await response.text()]).toEqual([
      503,
      'load',
      'too busy',
    ]);
  });

  it('gets an answer that says twice when to come back', async () => {
    const { agent } = await startService(
      [(_request, response) => response.setHeader('retry-after', ['60', '60']).writeHead(503).end('later')],
      { deadlineMs: 500 },
    );
    const response = await fetch('http://orders/', { dispatcher: agent });
    expect([response.status, await response.text()]).toEqual([503, 'later']);
  });

  it('gets all of an answer that is no good and too long to be kept, without another attempt', async () => {
    const page = 'x'.repeat(500_000);
    const { agent, instances } = await startService([answering(503, page), answering(503, page)]);
    const response = await fetch('http://orders/', { dispatcher: agent });
    expect(await response.text()).toBe(page);
    expect(instances.flatMap(({ requests }) => requests)).toHaveLength(1);
  });

  it('is not repeated when it may have had an effect', async () => {
    const { agent, instances } = await startService([answering(503, 'no'), answering(503, 'no')]);
    const response = await fetch('http://orders/', { dispatcher: agent, method: 'POST', body: 'pay' });
    expect([response.status, await response.text()]).toEqual([503, 'no']);
    expect(instances.flatMap(({ requests }) => requests)).toHaveLength(1);
  });

  it('is repeated elsewhere, whatever it is, when nobody listens there', async () => {
    const { agent, at, discovery } = await startService([echo, echo, echo]);
    at(0).server.close();
    await once(at(0).server, 'close');
    for (let turn = 0; turn < 6; turn += 1) {
      const response = await fetch('http://orders/', { dispatcher: agent, method: 'POST', body: `${turn}` });
      expect(await response.json()).toMatchObject({ body: `${turn}` });
    }
    const passive = discovery.endpoints('orders')?.map(({ reasons }) => reasons.passive);
    expect(passive?.filter((status) => status === 'unhealthy')).toHaveLength(1);
  });

  it.each([
    ['request', request],
    ['fetch', fetch],
  ])(
    'is repeated in the async context of its caller, whoever hears of the failure: %s',
    async (_name, make) => {
      const whose = new AsyncLocalStorage<string>();
      const seen: (string | undefined)[] = [];
      const refuse = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' });
      const connect = (_options: unknown, callback: (error: Error, socket: null) => void): void => {
        seen.push(whose.getStore());
        whose.run('somebody else', () => setImmediate(callback, refuse, null));
      };
      const { agent } = await startService([echo, echo, echo], { pool: { connect } });
      await whose.run('caller', () => make('http://orders/', { dispatcher: agent }).catch(() => undefined));
      expect(seen).toEqual(['caller', 'caller', 'caller']);
    },
  );

  it('goes elsewhere when an instance does not speak HTTP, which is taken out', async () => {
    const { agent, publish, discovery } = await startService([echo]);
    const stranger = createNetServer((socket) => {
      socket.on('error', () => undefined).once('data', () => socket.end('-ERR unknown command\r\n'));
    }).listen(0, '127.0.0.1');
    await once(stranger, 'listening');
    onTestFinished(() => void stranger.close());
    await publish({ port: portOf(stranger) });
    for (let turn = 0; turn < 20; turn += 1) {
      const { statusCode, body } = await request('http://orders/', { dispatcher: agent });
      await body.dump();
      expect(statusCode).toBe(200);
    }
    const passive = discovery.endpoints('orders')?.map(({ reasons }) => reasons.passive);
    expect(passive?.filter((status) => status === 'unhealthy')).toHaveLength(1);
  });

  it('goes elsewhere when an instance has an address that no URL can have', async () => {
    const { agent, publish } = await startService([echo]);
    await publish({ host: 'fe80::1%eth0', port: 80 });
    for (let turn = 0; turn < 4; turn += 1) {
      const response = await fetch('http://orders/', { dispatcher: agent, method: 'POST', body: 'x' });
      expect(response.status).toBe(200);
    }
  });

  it('goes elsewhere when an instance hangs', async () => {
    const { agent, instances } = await startService([hanging, echo], { attemptTimeoutMs: 200 });
    for (let turn = 0; turn < 3; turn += 1) {
      const { statusCode, body } = await request('http://orders/', { dispatcher: agent });
      await body.dump();
      expect(statusCode).toBe(200);
    }
    expect(instances[0]?.requests.length).toBeGreaterThan(0);
  });

  it('rejects with the typed error where nobody is such a service', async () => {
    const { agent } = await startService([]);
    expect(await causeOf(fetch('http://nobody/', { dispatcher: agent }))).toBeInstanceOf(UnknownServiceError);
    await expect(request('http://nobody/', { dispatcher: agent })).rejects.toBeInstanceOf(
      UnknownServiceError,
    );
  });

  it('rejects at its deadline', async () => {
    const { agent } = await startService([hanging], { deadlineMs: 100 });
    await expect(request('http://orders/', { dispatcher: agent })).rejects.toMatchObject({
      code: 'ERR_SD_DEADLINE_EXCEEDED',
    });
  });

  it('rejects with the mistake of its caller', async () => {
    const { agent, at, discovery } = await startService([echo]);
    const headers = { 'x-bad': 'a\nb' };
    await expect(request('http://orders/', { dispatcher: agent, headers })).rejects.toMatchObject({
      code: 'UND_ERR_INVALID_ARG',
    });
    expect(at(0).requests).toEqual([]);
    expect(discovery.endpoints('orders')).toMatchObject([{ inFlight: 0, reasons: {} }]);
  });

  it('follows redirects between services', async () => {
    const { agent, publish } = await startService([answering(302, '', { location: 'http://users/7' })]);
    const users = await listen(answering(200, 'Ada'));
    await publish({ service: 'users', port: portOf(users) });
    const response = await fetch('http://orders/1/user', { dispatcher: agent });
    expect([response.url, await response.text()]).toEqual(['http://users/7', 'Ada']);
  });

  it('sticks to one instance by its key, for strategies that hash', async () => {
    const { agent, instances } = await startService([echo, echo, echo], {
      strategy: 'ring-hash',
      key: ({ path }) => path,
    });
    for (let turn = 0; turn < 6; turn += 1) {
      await (await request('http://orders/same', { dispatcher: agent })).body.dump();
    }
    expect(instances.map(({ requests }) => requests.length).sort()).toEqual([0, 0, 6]);
  });
});

describe('a hedge', () => {
  it('gets the answer of the faster, and keeps the connection of the slower', async () => {
    let finish = (): void => undefined;
    let isSlow = false;
    const handler: RequestListener = (_request, response) => {
      if (isSlow) finish = () => response.end('slow');
      else response.end('fast');
      isSlow = false;
    };
    const { agent, instances } = await startService([handler, handler], { attemptTimeoutMs: 10_000 });
    const connections: Socket[] = [];
    for (const { server } of instances) server.on('connection', (socket) => connections.push(socket));
    const get = async (): Promise<string> =>
      (await request('http://orders/', { dispatcher: agent })).body.text();
    for (let turn = 0; turn < 40; turn += 1) await get(); // it is known how long it takes

    isSlow = true;
    expect(await get()).toBe('fast');
    finish();
    for (let turn = 0; turn < 4; turn += 1) expect(await get()).toBe('fast');

    expect(connections.filter(({ destroyed }) => destroyed)).toEqual([]);
  });
});

describe('a request that is cancelled', () => {
  it('ends at once, is not repeated, and says nothing of its instance', async () => {
    const { agent, instances, discovery } = await startService([hanging, hanging]);
    const controller = new AbortController();
    const answered = fetch('http://orders/', { dispatcher: agent, signal: controller.signal });
    await eventually(() => expect(instances.flatMap(({ requests }) => requests)).toHaveLength(1));

    controller.abort();

    await expect(answered).rejects.toMatchObject({ name: 'AbortError' });
    expect(discovery.endpoints('orders')).toMatchObject([
      { inFlight: 0, reasons: {} },
      { inFlight: 0, reasons: {} },
    ]);
    expect(instances.flatMap(({ requests }) => requests)).toHaveLength(1);
  });

  it('rejects where it was cancelled before it began', async () => {
    const { agent, at } = await startService([echo]);
    const signal = AbortSignal.abort(new Error('enough'));
    await expect(request('http://orders/', { dispatcher: agent, signal })).rejects.toThrow('enough');
    expect(at(0).requests).toEqual([]);
  });

  it('closes its connection also while its body is read', async () => {
    const { agent, discovery } = await startService([
      (_request, response) => void response.writeHead(200).write('the first half'),
    ]);
    const controller = new AbortController();
    const { body } = await request('http://orders/', { dispatcher: agent, signal: controller.signal });
    const [first] = (await once(body, 'data')) as [Buffer];
    expect(String(first)).toBe('the first half');
    expect(discovery.endpoints('orders')).toMatchObject([{ inFlight: 1 }]);

    controller.abort(new Error('enough'));

    await expect(once(body, 'close')).rejects.toThrow('enough');
    expect(discovery.endpoints('orders')).toMatchObject([{ inFlight: 0, reasons: {} }]);
  });
});

describe('a handler', () => {
  /** What it hears, in words, when it has heard of the end. */
  function hear(
    agent: Dispatcher,
    method: 'GET' | 'POST',
    on: Partial<Record<'start' | 'data' | 'end', (controller: Dispatcher.DispatchController) => void>>,
  ): Promise<string[]> {
    const heard: string[] = [];
    return new Promise((resolve) => {
      agent.dispatch(
        { origin: 'http://orders', path: '/', method },
        {
          onRequestStart: () => undefined,
          onResponseStart: (controller, status) => {
            heard.push(String(status));
            on.start?.(controller);
          },
          onResponseData: (controller) => {
            heard.push('data');
            on.data?.(controller);
          },
          onResponseEnd: (controller) => {
            heard.push('end');
            on.end?.(controller);
            resolve(heard);
          },
          onResponseError: (_controller, error) => {
            heard.push(error.message);
            resolve(heard);
          },
        },
      );
    });
  }

  it.each([
    ['a short answer', answering(200, 'short', { 'content-length': '5' })],
    ['a long one', answering(200, 'x'.repeat(100_000))],
    ['one that is no good', answering(503, 'busy')],
    ['a long one that is no good', answering(503, 'x'.repeat(100_000))],
  ])('that aborts at the head of %s hears of its error, and no more', async (_what, listener) => {
    const { agent, discovery } = await startService([listener], { retries: 0 });
    const heard = await hear(agent, 'GET', { start: (controller) => controller.abort(new Error('enough')) });
    await eventually(() => expect(discovery.endpoints('orders')).toMatchObject([{ inFlight: 0 }]));
    expect(heard.slice(1)).toEqual(['enough']);
  });

  it('that aborts when the last byte has come hears of its error, and no more', async () => {
    const { agent, discovery } = await startService([answering(200, 'short')]);
    const heard = await hear(agent, 'POST', {
      data: (controller) => queueMicrotask(() => controller.abort(new Error('enough'))),
    });
    expect(heard).toEqual(['200', 'data', 'enough']);
    expect(discovery.endpoints('orders')).toMatchObject([{ inFlight: 0, reasons: {} }]);
  });

  it('that throws at the end hears of that', async () => {
    const { agent, discovery } = await startService([answering(200, 'short')]);
    const heard = await hear(agent, 'POST', {
      end: () => {
        throw new Error('broken');
      },
    });
    expect(heard).toEqual(['200', 'data', 'end', 'broken']);
    expect(discovery.endpoints('orders')).toMatchObject([{ inFlight: 0, reasons: {} }]);
  });
});

describe('a body', () => {
  it('that is a stream is sent once, and elsewhere when nobody has begun to read it', async () => {
    const { agent, at } = await startService([echo, echo]);
    at(0).server.close();
    await once(at(0).server, 'close');
    for (let turn = 0; turn < 2; turn += 1) {
      const body = new Blob([`part ${turn}`]).stream();
      const response = await fetch('http://orders/', {
        dispatcher: agent,
        method: 'PUT',
        body,
        duplex: 'half',
      });
      expect(await response.json()).toMatchObject({ body: `part ${turn}` });
    }
  });

  it('that is a stream is not sent again after an answer that is no good', async () => {
    const { agent, instances } = await startService([answering(503), answering(503)]);
    const body = new Blob(['part']).stream();
    const response = await fetch('http://orders/', {
      dispatcher: agent,
      method: 'PUT',
      body,
      duplex: 'half',
    });
    expect(response.status).toBe(503);
    expect(instances.flatMap(({ requests }) => requests)).toHaveLength(1);
  });

  it('that cannot be read fails the request, and says nothing of the instance', async () => {
    const { agent, discovery } = await startService([echo, echo]);
    const body = new ReadableStream({
      pull: () => {
        throw Object.assign(new Error('the disk is gone'), { code: 'ECONNREFUSED' });
      },
    });
    const failed = fetch('http://orders/', { dispatcher: agent, method: 'PUT', body, duplex: 'half' });
    await expect(failed).rejects.toThrow();
    expect(discovery.endpoints('orders')).toMatchObject([
      { inFlight: 0, reasons: {} },
      { inFlight: 0, reasons: {} },
    ]);
  });

  it('of an answer has its endpoint in flight until it was read', async () => {
    let finish = (): void => undefined;
    const { agent, discovery } = await startService([
      (_request, response) => {
        response.writeHead(200).write('a');
        finish = () => response.end('b');
      },
    ]);
    const response = await fetch('http://orders/', { dispatcher: agent });
    expect(discovery.endpoints('orders')).toMatchObject([{ inFlight: 1 }]);

    finish();

    expect(await response.text()).toBe('ab');
    expect(discovery.endpoints('orders')).toMatchObject([{ inFlight: 0 }]);
  });

  it('of a long answer that breaks off fails for its reader', async () => {
    const { agent, discovery } = await startService([breakingOff(16_385)]);
    const response = await fetch('http://orders/', { dispatcher: agent });
    await expect(response.text()).rejects.toThrow();
    expect(discovery.endpoints('orders')).toMatchObject([{ inFlight: 0 }]);
  });

  it('of a short answer that breaks off is asked for on another instance', async () => {
    const { agent, discovery } = await startService([breakingOff(16_384), breakingOff(10), echo]);
    for (let turn = 0; turn < 6; turn += 1) {
      const response = await fetch('http://orders/', { dispatcher: agent });
      expect(await response.json()).toMatchObject({ body: '' });
    }
    const idle = { inFlight: 0 };
    expect(discovery.endpoints('orders')).toMatchObject([idle, idle, idle]);
  });

  it('of a short answer that breaks off everywhere fails the request', async () => {
    const { agent } = await startService([breakingOff(10)]);
    expect(await causeOf(fetch('http://orders/', { dispatcher: agent }))).toBeInstanceOf(ConnectionError);
  });

  it('of a short answer fails for its reader where the request is not repeated', async () => {
    const { agent, instances } = await startService([breakingOff(10), breakingOff(10)]);
    const response = await fetch('http://orders/', { dispatcher: agent, method: 'POST' });
    await expect(response.text()).rejects.toThrow();
    expect(instances.flatMap(({ requests }) => requests)).toHaveLength(1);
  });

  it('that never comes is no reason to wait for it: the answer to a HEAD is its head', async () => {
    const { agent } = await startService([
      (_request, response) => response.writeHead(200, { 'content-length': 10 }).end(),
    ]);
    const { headers } = await fetch('http://orders/', { dispatcher: agent, method: 'HEAD' });
    expect(headers.get('content-length')).toBe('10');
  });

  it('of a short answer may be awaited no longer: the request ends at once', async () => {
    const caller = new AbortController();
    const { agent, instances, discovery } = await startService([
      (_request, response) => {
        response.writeHead(200, { 'content-length': 10 }).write('half');
        setImmediate(() => caller.abort());
      },
    ]);
    const failed = fetch('http://orders/', { dispatcher: agent, signal: caller.signal });
    await expect(failed).rejects.toThrow('aborted');
    expect(instances[0]?.requests).toHaveLength(1);
    await eventually(() => expect(discovery.endpoints('orders')).toMatchObject([{ inFlight: 0 }]));
  });
});

describe('a host', () => {
  it('with a dot or a port is passed through', async () => {
    const { agent } = await startService([]);
    const server = await listen(answering(200, 'a place'));
    for (const host of ['127.0.0.1', 'localhost']) {
      const response = await fetch(`http://${host}:${portOf(server)}/`, { dispatcher: agent });
      expect(await response.text()).toBe('a place');
    }
  });

  it('is a service if it is in the list, in whatever case', async () => {
    const { agent, publish } = await startService([echo], { services: ['Orders.Internal'] });
    const server = await listen(answering(200, 'internal'));
    await publish({ service: 'Orders.Internal', port: portOf(server) });
    const response = await fetch('http://orders.internal/', { dispatcher: agent });
    expect(await response.text()).toBe('internal');
    expect(await causeOf(fetch('http://orders/', { dispatcher: agent }))).toMatchObject({
      syscall: 'getaddrinfo',
    });
  });

  it('is a service if a function says so', async () => {
    const { agent } = await startService([echo], {
      services: ({ hostname }) => /^(\w+)\.svc$/.exec(hostname)?.[1],
    });
    expect((await fetch('http://orders.svc/', { dispatcher: agent })).status).toBe(200);
  });
});

describe('an upgrade', () => {
  it('goes to one instance, which is in flight until its socket has closed', async () => {
    const { agent, at, discovery } = await startService([echo]);
    at(0).server.on('upgrade', (_request, socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n');
      socket.once('data', (data) => socket.end(`you said ${String(data)}`));
    });
    const { socket } = await upgrade('http://orders/chat', { dispatcher: agent, protocol: 'chat' });
    expect(discovery.endpoints('orders')).toMatchObject([{ inFlight: 1 }]);
    socket.write('hello');
    const [data] = (await once(socket, 'data')) as [Buffer];
    expect(String(data)).toBe('you said hello');
    socket.destroy();
    await once(socket, 'close');
    expect(discovery.endpoints('orders')).toMatchObject([{ inFlight: 0 }]);
  });
});

describe('an upgrade that is late', () => {
  it('is not made at a second instance too', async () => {
    const { agent, instances } = await startService([echo, echo]);
    let upgrades = 0;
    for (const { server } of instances) {
      server.on('upgrade', (_request, socket) => {
        upgrades += 1;
        const head = 'HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: chat\r\n\r\n';
        setTimeout(() => socket.write(head), 200);
        socket.on('error', () => undefined);
        onTestFinished(() => void socket.destroy());
      });
    }
    for (let turn = 0; turn < 60; turn += 1) {
      await (await request('http://orders/', { dispatcher: agent })).body.dump(); // it is known how long it takes
    }
    const { socket } = await upgrade('http://orders/chat', { dispatcher: agent, protocol: 'chat' });
    socket.destroy();
    expect(upgrades).toBe(1);
  });
});

describe('bad input', () => {
  it('is a ConfigValidationError that names each wrong option', async () => {
    const { discovery } = await startService([]);
    const wrong = { discovery, services: 'orders', retries: -1, deadlineHeader: 'a b', hegde: true };
    const make = (): unknown => new DiscoveryAgent(wrong as never);
    expect(make).toThrow(ConfigValidationError);
    for (const field of ['services', 'retries', 'deadlineHeader', 'hegde']) expect(make).toThrow(field);
    expect(() => new DiscoveryAgent({ discovery, strategy: 'best' })).toThrow('best');
  });

  it('an instance without TLS is not called where the URL says https', async () => {
    const { agent, at } = await startService([echo]);
    expect(await causeOf(fetch('https://orders/', { dispatcher: agent }))).toBeInstanceOf(
      InsecureInstanceError,
    );
    expect(at(0).requests).toEqual([]);
  });

  it('an instance that speaks something else is not called', async () => {
    const { agent, publish } = await startService([]);
    const server = createServer();
    await publish({ port: 1, protocol: 'amqp' });
    server.close();
    expect(await causeOf(fetch('http://orders/', { dispatcher: agent }))).toMatchObject({
      code: 'ERR_SD_UNSUPPORTED_PROTOCOL',
    });
  });
});
