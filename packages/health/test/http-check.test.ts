import { eventually } from '@sd/testkit';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { httpCheck } from '../src/checks/http-check.ts';
import { deadTarget, listen, listenHttp, listenTcp, unaborted } from './local-servers.ts';
import { testCertificates } from './test-certificates.ts';

const answer =
  (status: number, headers: Record<string, string> = {}, body = ''): RequestListener =>
  (_request, response) =>
    void response.writeHead(status, headers).end(body);

/** Keeps what was asked, and answers 200. */
function recorder() {
  const requests: IncomingMessage[] = [];
  const listener: RequestListener = (request, response) => {
    requests.push(request);
    response.end('ok');
  };
  return { requests, listener };
}

describe('httpCheck()', () => {
  it.each([
    [200, 'healthy'],
    [204, 'healthy'],
    [299, 'healthy'],
    [400, 'unhealthy'],
    [300, 'unhealthy'],
    [429, 'unhealthy'],
    [503, 'unhealthy'],
  ] as const)('takes an answer of %d for %s', async (status, expected) => {
    const { target } = await listenHttp(answer(status));
    const result = await httpCheck().check(target, { signal: unaborted() });
    expect(result).toEqual({ status: expected, detail: `answered ${status}` });
  });

  it('asks for GET /health on the port of the target, and says so in its name', async () => {
    const { requests, listener } = recorder();
    const { target } = await listenHttp(listener);
    await httpCheck().check(target, { signal: unaborted() });
    expect(requests[0]).toMatchObject({ method: 'GET', url: '/health' });
    expect(requests[0]?.headers.host).toBe(`127.0.0.1:${target.port}`);
    expect(httpCheck().name).toBe('http /health');
  });

  it('asks for what it is told to, where it is told to', async () => {
    const { requests, listener } = recorder();
    const { target } = await listenHttp(listener);
    const headers = { Host: 'orders.internal', 'x-probe': 'yes' };
    const check = httpCheck({
      path: '/ready?deep=1',
      method: 'POST',
      headers,
      port: target.port,
      protocol: 'http',
    });
    await check.check({ host: '127.0.0.1', port: 1, protocol: 'https' }, { signal: unaborted() });
    expect(requests[0]).toMatchObject({ method: 'POST', url: '/ready?deep=1' });
    expect(requests[0]?.headers).toMatchObject({ host: 'orders.internal', 'x-probe': 'yes' });
  });

  it('knows single statuses, ranges of them, and those that mean degraded first', async () => {
    const check = httpCheck({ expectedStatus: [[200, 299], 404], degradedStatus: [203, [418, 429]] });
    const found = [];
    for (const status of [200, 203, 404, 418, 429, 430]) {
      const { target } = await listenHttp(answer(status));
      found.push((await check.check(target, { signal: unaborted() })).status);
    }
    expect(found).toEqual(['healthy', 'degraded', 'healthy', 'degraded', 'degraded', 'unhealthy']);
  });

  it('looks for a string or a pattern in the body', async () => {
    const { target } = await listenHttp(answer(200, {}, '{"status":"UP"}'));
    const stateful = httpCheck({ expectedBody: /"UP"/g });
    const look = async (expectedBody: string | RegExp) =>
      httpCheck({ expectedBody }).check(target, { signal: unaborted() });
    expect(await look('"UP"')).toEqual({ status: 'healthy', detail: 'answered 200' });
    expect(await look(/status":\s*"UP/)).toMatchObject({ status: 'healthy' });
    expect(await look('"DOWN"')).toEqual({
      status: 'unhealthy',
      detail: 'answered 200, but the body lacks what is expected',
    });
    for (let time = 0; time < 2; time += 1) {
      expect(await stateful.check(target, { signal: unaborted() })).toMatchObject({ status: 'healthy' });
    }
  });

  it('finds a letter that arrives in two pieces', async () => {
    const [first, second] = [Buffer.from('état').subarray(0, 1), Buffer.from('état').subarray(1)];
    const { target } = await listenHttp((_request, response) => {
      response.write(first, () => setImmediate(() => response.end(second)));
    });
    const result = await httpCheck({ expectedBody: 'état' }).check(target, { signal: unaborted() });
    expect(result.status).toBe('healthy');
  });

  it('opens a connection for each look and leaves none open', async () => {
    const server = await listenHttp(answer(200, { connection: 'keep-alive' }, 'ok'));
    for (let look = 0; look < 3; look += 1) await httpCheck().check(server.target, { signal: unaborted() });
    expect(server.accepted()).toBe(3);
    await eventually(() => expect(server.connections.size).toBe(0));
  });

  it('does not follow a redirect, and says where it leads without its query', async () => {
    const elsewhere = await listenHttp(answer(200));
    const location = `http://user:pw@127.0.0.1:${elsewhere.target.port}/login?token=secret`;
    const { target } = await listenHttp(answer(302, { location }));
    expect(await httpCheck().check(target, { signal: unaborted() })).toEqual({
      status: 'unhealthy',
      detail: `answered 302, a redirect to http://127.0.0.1:${elsewhere.target.port}/login`,
    });
    expect(await httpCheck({ expectedStatus: [302] }).check(target, { signal: unaborted() })).toMatchObject({
      status: 'healthy',
    });
    expect(elsewhere.accepted()).toBe(0);
  });

  it.each([
    ['/login?token=secret', ' to /login'],
    ['//user:pw@elsewhere/login', ' to http://elsewhere/login'],
    ['http://[', ''],
  ])('shows nothing secret of a redirect to %s', async (location, shown) => {
    const { target } = await listenHttp(answer(301, { location }));
    const { detail } = await httpCheck().check(target, { signal: unaborted() });
    expect(detail).toBe(`answered 301, a redirect${shown}`);
  });

  it('takes an answer to an upgrade that nobody asked for as it is, and closes it', async () => {
    const server = await listenTcp((socket) => {
      socket.once('data', () =>
        socket.write('HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
      );
    });
    const result = await httpCheck().check(server.target, { signal: unaborted() });
    expect(result).toMatchObject({ status: 'unhealthy', detail: 'answered 101' });
    await eventually(() => expect(server.connections.size).toBe(0));
  });

  it('says of a target with another protocol that it cannot ask', async () => {
    const result = await httpCheck().check(
      { host: '127.0.0.1', port: 1, protocol: 'grpc' },
      { signal: unaborted() },
    );
    expect(result).toEqual({
      status: 'unhealthy',
      detail: 'cannot ask a "grpc" target over HTTP: give httpCheck a protocol',
    });
  });

  const hasIpv6 = Object.values(networkInterfaces()).some((all) =>
    all?.some(({ address }) => address === '::1'),
  );

  it.skipIf(!hasIpv6)('puts an IPv6 address in brackets', async () => {
    const { requests, listener } = recorder();
    const { target } = await listen(createServer(listener), '::1');
    expect(await httpCheck().check(target, { signal: unaborted() })).toMatchObject({ status: 'healthy' });
    expect(requests[0]?.headers.host).toBe(`[::1]:${target.port}`);
  });
});

describe('httpCheck() of a target that cannot be reached', () => {
  it('says so when the connection is refused', async () => {
    const target = await deadTarget();
    expect(await httpCheck().check(target, { signal: unaborted() })).toEqual({
      status: 'unhealthy',
      detail: `no connection: connect ECONNREFUSED 127.0.0.1:${target.port}`,
      unreachable: true,
    });
  });

  it('says so when the host has no address', async () => {
    const result = await httpCheck().check({ host: 'nowhere.invalid', port: 80 }, { signal: unaborted() });
    expect(result).toMatchObject({ status: 'unhealthy', unreachable: true });
    expect(result.detail).toMatch(/^no connection: getaddrinfo E\w+ nowhere\.invalid$/);
  });

  it('says so when it is cut off before a connection opened', async () => {
    const stop = new AbortController();
    const looking = httpCheck().check({ host: '127.0.0.1', port: 1 }, { signal: stop.signal });
    stop.abort(new Error('no answer within 2000 ms'));
    expect(await looking).toEqual({
      status: 'unhealthy',
      detail: 'no connection: no answer within 2000 ms',
      unreachable: true,
    });
  });
});

describe('httpCheck() of a hostile target', () => {
  /** Sends zeros until the connection closes. */
  function pour(response: ServerResponse): void {
    const chunk = Buffer.alloc(65_536);
    const more = (): void => {
      while (!response.destroyed && response.write(chunk));
    };
    response.on('drain', more);
    more();
  }

  it('reads no more than it may of a body that never ends', async () => {
    const server = await listenHttp((_request, response) => pour(response));
    const check = httpCheck({ expectedBody: 'UP', maxBodyBytes: 1_000 });
    expect(await check.check(server.target, { signal: unaborted() })).toEqual({
      status: 'unhealthy',
      detail: 'answered 200, but the first 1000 bytes of the body lacks what is expected',
    });
    await eventually(() => expect(server.connections.size).toBe(0));
  });

  it('looks only at the bytes that it may read', async () => {
    const { target } = await listenHttp(answer(200, {}, `${'x'.repeat(998)}UP`));
    const look = async (maxBodyBytes: number) =>
      (await httpCheck({ expectedBody: 'UP', maxBodyBytes }).check(target, { signal: unaborted() })).status;
    expect([await look(1_000), await look(999)]).toEqual(['healthy', 'unhealthy']);
  });

  it('does not read a body of a gigabyte in which nothing is expected', async () => {
    let socketBytes = Infinity;
    const server = await listenHttp((request, response) => {
      response.writeHead(200, { 'content-length': String(2 ** 30) });
      pour(response);
      request.socket.once('close', () => (socketBytes = request.socket.bytesWritten));
    });
    expect(await httpCheck().check(server.target, { signal: unaborted() })).toMatchObject({
      status: 'healthy',
    });
    await eventually(() => expect(socketBytes).toBeLessThan(2 ** 25));
  });

  it('is unhealthy when the body breaks off', async () => {
    const { target } = await listenHttp((_request, response) => {
      response.writeHead(200, { 'content-length': '10' });
      response.write('UP', () => response.destroy());
    });
    expect(await httpCheck({ expectedBody: 'UP' }).check(target, { signal: unaborted() })).toEqual({
      status: 'unhealthy',
      detail: 'answered 200, but the body broke off',
    });
  });

  it('is unhealthy, but not unreachable, when the connection is closed at once', async () => {
    const { target } = await listenTcp((socket) => socket.end());
    const result = await httpCheck().check(target, { signal: unaborted() });
    expect(result).toEqual({ status: 'unhealthy', detail: 'the exchange failed: socket hang up' });
  });

  it.each([
    ['what is not HTTP', 'SSH-2.0-OpenSSH_9.6\r\n'],
    ['headers without end', `HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(20_000)}`],
  ])('is unhealthy when it answers with %s', async (_what, garbage) => {
    const server = await listenTcp((socket) => socket.once('data', () => socket.write(garbage)));
    const result = await httpCheck().check(server.target, { signal: unaborted() });
    expect(result).toMatchObject({ status: 'unhealthy' });
    expect(result.detail).toMatch(/^the exchange failed: Parse Error: /);
    await eventually(() => expect(server.connections.size).toBe(0));
  });

  it('rejects with the reason as soon as the signal aborts, and closes the connection', async () => {
    const server = await listenTcp((socket) => socket.resume());
    const stop = new AbortController();
    const looking = httpCheck().check(server.target, { signal: stop.signal });
    await eventually(() => expect([...server.connections][0]?.bytesRead).toBeGreaterThan(0));
    const reason = new Error('enough');
    stop.abort(reason);
    await expect(looking).rejects.toBe(reason);
    await eventually(() => expect(server.connections.size).toBe(0));
  });

  it('does not begin when the signal has aborted already', async () => {
    const server = await listenHttp(answer(200));
    const reason = new Error('enough');
    await expect(httpCheck().check(server.target, { signal: AbortSignal.abort(reason) })).rejects.toBe(
      reason,
    );
    expect(server.accepted()).toBe(0);
  });
});

describe('httpCheck() with TLS', () => {
  const { ca, cert, key } = testCertificates();
  const listenSecurely = async () => {
    const server = await listen(createSecureServer({ cert, key }, answer(200)));
    return { ...server, target: { ...server.target, protocol: 'https' } };
  };

  it('is healthy when it trusts the authority', async () => {
    const { target } = await listenSecurely();
    for (const host of ['127.0.0.1', 'localhost']) {
      const result = await httpCheck({ tls: { ca } }).check({ ...target, host }, { signal: unaborted() });
      expect(result).toEqual({ status: 'healthy', detail: 'answered 200' });
    }
  });

  it('is unhealthy, but not unreachable, when it does not trust the certificate', async () => {
    const { target } = await listenSecurely();
    const result = await httpCheck().check(target, { signal: unaborted() });
    expect(result).toEqual({
      status: 'unhealthy',
      detail: 'TLS failed: unable to verify the first certificate',
    });
  });

  it('trusts any certificate when it is told to', async () => {
    const { target } = await listenSecurely();
    const check = httpCheck({ tls: { rejectUnauthorized: false } });
    expect(await check.check(target, { signal: unaborted() })).toMatchObject({ status: 'healthy' });
  });

  it.each([
    ['servername', { tls: { ca, servername: 'orders.internal' } }],
    ['host header', { tls: { ca }, headers: { Host: 'orders.internal:8443' } }],
  ])('wants the certificate to be for the %s', async (_what, options) => {
    const { target } = await listenSecurely();
    const { status, detail } = await httpCheck(options).check(target, { signal: unaborted() });
    expect(status).toBe('unhealthy');
    expect(detail).toMatch(/^TLS failed: Hostname\/IP does not match .*orders\.internal/);
  });

  it('shows its own certificate to a target that wants one', async () => {
    const server = createSecureServer({ cert, key, ca, requestCert: true }, answer(200));
    const { target } = await listen(server);
    const secure = { ...target, protocol: 'https' };
    const check = httpCheck({ tls: { ca, cert, key } });
    expect(await check.check(secure, { signal: unaborted() })).toMatchObject({ status: 'healthy' });
    const stranger = await httpCheck({ tls: { ca } }).check(secure, { signal: unaborted() });
    expect(stranger.status).toBe('unhealthy');
  });

  it('is unhealthy when the target speaks no TLS', async () => {
    const { target } = await listenHttp(answer(200));
    const result = await httpCheck().check({ ...target, protocol: 'https' }, { signal: unaborted() });
    expect(result).toMatchObject({ status: 'unhealthy' });
    expect(result.detail).toMatch(/^TLS failed: /);
  });

  it('rejects when the target never ends the handshake', async () => {
    const server = await listenTcp(() => undefined);
    const stop = new AbortController();
    const looking = httpCheck({ protocol: 'https' }).check(server.target, { signal: stop.signal });
    await eventually(() => expect(server.connections.size).toBe(1));
    const [socket] = server.connections;
    if (socket !== undefined) await once(socket, 'data'); // the client has connected, and said hello
    stop.abort(new Error('enough'));
    await expect(looking).rejects.toThrow('enough');
  });
});
