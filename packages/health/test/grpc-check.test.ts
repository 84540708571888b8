import { Server, ServerCredentials, status, type Metadata, type ServiceDefinition } from '@grpc/grpc-js';
import { eventually } from '@sd/testkit';
import { createSecureServer, createServer, type ServerHttp2Stream } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import { afterEach, describe, expect, it } from 'vitest';
import { grpcCheck } from '../src/checks/grpc-check.ts';
import type { CheckTarget } from '../src/health-check.ts';
import { deadTarget, listen, listenHttp, listenTcp, unaborted } from './local-servers.ts';
import { testCertificates } from './test-certificates.ts';

const { ca, cert, key } = testCertificates();

/** `HealthCheckResponse` by number; a status of 0 is left out of the message, as protobuf has it. */
const statusMessage = (serving: number): Buffer => Buffer.from(serving === 0 ? [] : [8, serving]);

/** The health service, with messages as they are on the wire. */
const healthService: ServiceDefinition = {
  check: {
    path: '/grpc.health.v1.Health/Check',
    requestStream: false,
    responseStream: false,
    requestSerialize: (message: Buffer) => message,
    requestDeserialize: (message: Buffer) => message,
    responseSerialize: (message: Buffer) => message,
    responseDeserialize: (message: Buffer) => message,
  },
};

interface HealthCall {
  readonly request: Buffer;
  readonly metadata: Metadata;
  getHost(): string;
}

type Reply = (error: { code: status; details: string } | null, message?: Buffer) => void;

const servers: Server[] = [];

afterEach(() => {
  for (const server of servers.splice(0)) server.forceShutdown();
});

async function startGrpc(
  check: ((call: HealthCall, reply: Reply) => void) | undefined,
  credentials = ServerCredentials.createInsecure(),
): Promise<CheckTarget> {
  const server = new Server();
  servers.push(server);
  if (check !== undefined) server.addService(healthService, { check });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return { host: '127.0.0.1', port };
}

describe('grpcCheck() of a real server', () => {
  it.each([
    [1, 'healthy', 'SERVING'],
    [2, 'unhealthy', 'NOT_SERVING'],
    [0, 'unhealthy', 'UNKNOWN'],
    [3, 'unhealthy', 'SERVICE_UNKNOWN'],
  ])('takes %d for %s', async (serving, expected, detail) => {
    const target = await startGrpc((_call, reply) => reply(null, statusMessage(serving)));
    expect(await grpcCheck().check(target, { signal: unaborted() })).toEqual({ status: expected, detail });
  });

  it('asks for the service by name, however long, and for the server as a whole by none', async () => {
    const requests: Buffer[] = [];
    const target = await startGrpc(({ request }, reply) => {
      requests.push(request);
      reply(null, statusMessage(1));
    });
    const long = 'x'.repeat(300);
    for (const service of ['shop.v1.Orders', long, '']) {
      await grpcCheck({ service }).check(target, { signal: unaborted() });
    }
    expect(requests).toEqual([
      Buffer.concat([Buffer.from([10, 14]), Buffer.from('shop.v1.Orders')]),
      Buffer.concat([Buffer.from([10, 0xac, 0x02]), Buffer.from(long)]),
      Buffer.alloc(0),
    ]);
    expect([grpcCheck().name, grpcCheck({ service: 'shop.v1.Orders' }).name]).toEqual([
      'grpc',
      'grpc shop.v1.Orders',
    ]);
  });

  it('sends metadata and the authority that it is told to', async () => {
    const calls: HealthCall[] = [];
    const target = await startGrpc((call, reply) => {
      calls.push(call);
      reply(null, statusMessage(1));
    });
    await grpcCheck({ metadata: { 'x-probe': 'yes' }, authority: 'orders.internal' }).check(target, {
      signal: unaborted(),
    });
    await grpcCheck().check(target, { signal: unaborted() });
    expect(calls[0]?.metadata.get('x-probe')).toEqual(['yes']);
    expect(calls.map((call) => call.getHost())).toEqual(['orders.internal', `127.0.0.1:${target.port}`]);
  });

  it('says clearly that a server does not implement the health service', async () => {
    const target = await startGrpc(undefined);
    expect(await grpcCheck().check(target, { signal: unaborted() })).toEqual({
      status: 'unhealthy',
      detail: 'the server does not implement grpc.health.v1',
    });
  });

  it('says that a server does not know the service', async () => {
    const target = await startGrpc((_call, reply) => reply({ code: status.NOT_FOUND, details: '' }));
    expect(await grpcCheck({ service: 'shop.v1.Orders' }).check(target, { signal: unaborted() })).toEqual({
      status: 'unhealthy',
      detail: 'the server knows no service "shop.v1.Orders"',
    });
  });

  it('passes on why the call failed, on one line', async () => {
    const details = 'ça\nmarche "pas" 100 %';
    const target = await startGrpc((_call, reply) => reply({ code: status.UNAVAILABLE, details }));
    expect(await grpcCheck().check(target, { signal: unaborted() })).toEqual({
      status: 'unhealthy',
      detail: 'grpc-status 14: ça marche "pas" 100 %',
    });
  });

  describe('with TLS', () => {
    const credentials = ServerCredentials.createSsl(null, [
      { cert_chain: Buffer.from(cert), private_key: Buffer.from(key) },
    ]);
    const serving = (_call: HealthCall, reply: Reply): void => reply(null, statusMessage(1));

    it('is healthy when it trusts the authority', async () => {
      const target = await startGrpc(serving, credentials);
      const result = await grpcCheck({ tls: { ca } }).check(target, { signal: unaborted() });
      expect(result).toEqual({ status: 'healthy', detail: 'SERVING' });
    });

    it('is unhealthy, but not unreachable, when it does not', async () => {
      const target = await startGrpc(serving, credentials);
      const result = await grpcCheck({ tls: true }).check(target, { signal: unaborted() });
      expect(result).toEqual({
        status: 'unhealthy',
        detail: 'TLS failed: unable to verify the first certificate',
      });
    });

    it.each(['grpcs', 'https'])('is used for targets of the protocol %s', async (protocol) => {
      const target = await startGrpc(serving, credentials);
      const result = await grpcCheck().check({ ...target, protocol }, { signal: unaborted() });
      expect(result.detail).toMatch(/^TLS failed/);
    });

    it('is not used when that is said', async () => {
      const target = await startGrpc(serving);
      const check = grpcCheck({ tls: false });
      const result = await check.check({ ...target, protocol: 'grpcs' }, { signal: unaborted() });
      expect(result.status).toBe('healthy');
    });
  });
});

describe('grpcCheck() of a target that is no gRPC server', () => {
  it('says that it is unreachable when nothing listens', async () => {
    const result = await grpcCheck().check(await deadTarget(), { signal: unaborted() });
    expect(result).toMatchObject({ status: 'unhealthy', unreachable: true });
    expect(result.detail).toMatch(/^no connection: connect ECONNREFUSED/);
  });

  it('says that it is unreachable when it is cut off before a connection opened', async () => {
    const stop = new AbortController();
    const looking = grpcCheck().check({ host: '127.0.0.1', port: 1 }, { signal: stop.signal });
    stop.abort(new Error('too late'));
    expect(await looking).toMatchObject({ detail: 'no connection: too late', unreachable: true });
  });

  it('is unhealthy when it speaks HTTP/1', async () => {
    const server = await listenHttp((_request, response) => response.end('ok'));
    const result = await grpcCheck().check(server.target, { signal: unaborted() });
    expect(result).toMatchObject({ status: 'unhealthy' });
    expect(result).not.toHaveProperty('unreachable');
    await eventually(() => expect(server.connections.size).toBe(0));
  });

  it('is unhealthy when its TLS has no HTTP/2', async () => {
    const { target } = await listen(createHttpsServer({ cert, key }));
    const result = await grpcCheck({ tls: { ca } }).check(target, { signal: unaborted() });
    expect(result.status).toBe('unhealthy');
    expect(result.detail).toMatch(/no application protocol|no HTTP\/2/i);
  });

  it('is unhealthy when it closes the connection at once', async () => {
    const { target } = await listenTcp((socket) => socket.end());
    const result = await grpcCheck().check(target, { signal: unaborted() });
    expect(result).toMatchObject({ status: 'unhealthy' });
    expect(result).not.toHaveProperty('unreachable');
  });

  it('rejects with the reason as soon as the signal aborts, and closes the connection', async () => {
    const server = await listenTcp((socket) => socket.resume());
    const stop = new AbortController();
    const looking = grpcCheck().check(server.target, { signal: stop.signal });
    await eventually(() => expect([...server.connections][0]?.bytesRead).toBeGreaterThan(0));
    const reason = new Error('enough');
    stop.abort(reason);
    await expect(looking).rejects.toBe(reason);
    await eventually(() => expect(server.connections.size).toBe(0));
  });

  /** An HTTP/2 server that answers as it likes. */
  async function startHttp2(answer: (stream: ServerHttp2Stream) => void, secure = false) {
    const server = secure ? createSecureServer({ cert, key }) : createServer();
    server.on('stream', (stream: ServerHttp2Stream) => {
      stream.on('error', () => undefined); // the client goes away when it has seen enough
      answer(stream);
    });
    return listen(server);
  }

  it('is unhealthy when HTTP/2 answers that there is nothing', async () => {
    const { target } = await startHttp2((stream) => {
      stream.respond({ ':status': 404 });
      stream.end('nothing here');
    });
    const result = await grpcCheck().check(target, { signal: unaborted() });
    expect(result).toEqual({ status: 'unhealthy', detail: 'answered HTTP 404, which is not gRPC' });
  });

  it('is unhealthy when it answers without a grpc-status', async () => {
    const { target } = await startHttp2((stream) => {
      stream.respond({ ':status': 200 });
      stream.end('hello');
    }, true);
    const result = await grpcCheck({ tls: { ca } }).check(target, { signal: unaborted() });
    expect(result).toEqual({ status: 'unhealthy', detail: 'answered without a grpc-status: no gRPC server' });
  });

  it('reads no more than 4 KiB of an answer that never ends', async () => {
    const server = await startHttp2((stream) => {
      stream.respond({ ':status': 200 });
      const more = (): void => {
        while (!stream.destroyed && stream.write(Buffer.alloc(16_384)));
      };
      stream.on('drain', more);
      more();
    });
    const result = await grpcCheck().check(server.target, { signal: unaborted() });
    expect(result).toEqual({ status: 'unhealthy', detail: 'answered more than 4096 bytes' });
    await eventually(() => expect(server.connections.size).toBe(0));
  });

  it.each([
    ['nothing', []],
    ['a head without its end', [0, 0, 0]],
    ['a message shorter than its length', [0, 0, 0, 0, 9, 8, 1]],
    ['a message longer than its length', [0, 0, 0, 0, 2, 8, 1, 8, 1]],
    ['a compressed message', [1, 0, 0, 0, 2, 8, 1]],
    ['a status that there is not', [0, 0, 0, 0, 2, 8, 9]],
    ['a number without its end', [0, 0, 0, 0, 2, 8, 0x81]],
    ['a number without end', [0, 0, 0, 0, 12, 8, ...Array<number>(11).fill(0xff)]],
    ['a field longer than the message', [0, 0, 0, 0, 3, 18, 99, 1]],
    ['a field of a kind that there is not', [0, 0, 0, 0, 2, 0x0f, 1]],
  ])('is unhealthy when it answers %s', async (_what, bytes) => {
    const { target } = await startHttp2((stream) => answerGrpc(stream, bytes));
    const result = await grpcCheck().check(target, { signal: unaborted() });
    expect(result).toEqual({ status: 'unhealthy', detail: 'answered what is no HealthCheckResponse' });
  });

  it('skips fields that a newer version of the protocol may add', async () => {
    const newer = [16, 0x81, 1, 26, 2, 7, 7, 33, 1, 2, 3, 4, 5, 6, 7, 8, 45, 1, 2, 3, 4];
    const bytes = [0, 0, 0, 0, newer.length + 2, ...newer, 8, 1];
    const { target } = await startHttp2((stream) => answerGrpc(stream, bytes));
    expect(await grpcCheck().check(target, { signal: unaborted() })).toMatchObject({ status: 'healthy' });
  });

  function answerGrpc(stream: ServerHttp2Stream, bytes: readonly number[]): void {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc' }, { waitForTrailers: true });
    stream.once('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
    stream.end(Buffer.from(bytes));
  }
});
