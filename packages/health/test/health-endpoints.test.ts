import { once } from 'node:events';
import {
  createServer,
  request,
  type IncomingHttpHeaders,
  type RequestListener,
  type Server,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { ConfigValidationError, ManualClock, type InstanceStatus } from '@sd/core';
import express from 'express';
import fastify from 'fastify';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  healthEndpoints,
  type HealthEndpoints,
  type HealthEndpointsOptions,
} from '../src/health-endpoints.ts';
import { SelfCheck } from '../src/self-check.ts';

const frameworks: readonly (readonly [string, (endpoints: HealthEndpoints) => Promise<number>])[] = [
  ['node:http', onNode],
  ['Express', onExpress],
  ['Fastify', onFastify],
];

describe.each(frameworks)('on %s', (_name, serve) => {
  it('passes while healthy, in JSON that no cache keeps', async () => {
    const port = await serve(endpointsOf('healthy'));

    for (const path of ['/health/live', '/health/ready']) {
      const answer = await ask(port, path);
      expect(answer.statusCode).toBe(200);
      expect(answer.headers['content-type']).toMatch(/^application\/health\+json(; charset=utf-8)?$/);
      expect(answer.headers['cache-control']).toBe('no-store');
      expect(JSON.parse(answer.body)).toEqual({ status: 'pass' });
    }
  });

  it('fails with 503 while draining, but goes on living', async () => {
    const port = await serve(endpointsOf('draining'));

    const ready = await ask(port, '/health/ready');
    expect(ready.statusCode).toBe(503);
    expect(JSON.parse(ready.body)).toEqual({ status: 'fail', output: 'draining' });
    expect((await ask(port, '/health/live')).statusCode).toBe(200);
  });

  it('answers HEAD like GET, without the body', async () => {
    const port = await serve(endpointsOf('unhealthy'));
    const { date: _1, ...expected } = (await ask(port, '/health/ready')).headers;

    const answer = await ask(port, '/health/ready', { method: 'HEAD' });

    expect(answer.statusCode).toBe(503);
    expect(answer.body).toBe('');
    const { date: _2, ...headers } = answer.headers;
    expect(headers).toEqual(expected);
    expect(Number(headers['content-length'])).toBeGreaterThan(0);
  });

  it.each(['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS'])('refuses other methods: %s', async (method) => {
    const port = await serve(endpointsOf('healthy'));
    const answer = await ask(port, '/health/ready', { method });
    expect(answer.statusCode).toBe(405);
    expect(answer.headers).toMatchObject({ allow: 'GET, HEAD', 'cache-control': 'no-store' });
  });

  it('refuses them whatever they send', async () => {
    const port = await serve(endpointsOf('healthy'));
    const headers = { 'content-type': 'application/x-unheard-of' };
    const answer = await ask(port, '/health/live', { method: 'POST', headers, body: '{"half":' });
    expect(answer.statusCode).toBe(405);
  });

  it('leaves other paths to the app, and minds no query', async () => {
    const port = await serve(endpointsOf('healthy'));
    for (const path of ['/', '/health', '/health/ready/deep', '/other?/health/ready']) {
      expect(await ask(port, path)).toMatchObject({ statusCode: 418 });
    }
    expect(await ask(port, '/health/ready?verbose=1')).toMatchObject({ statusCode: 200 });
  });

  it('answers on the paths that it is given', async () => {
    const port = await serve(endpointsOf('degraded', { livePath: '/livez', readyPath: '/readyz' }));
    expect(await ask(port, '/livez')).toMatchObject({ statusCode: 200, body: '{"status":"pass"}' });
    expect(await ask(port, '/readyz')).toMatchObject({ statusCode: 200 });
    expect(await ask(port, '/health/ready')).toMatchObject({ statusCode: 418 });
  });
});

describe('ready', () => {
  it.each<[InstanceStatus, number, object]>([
    ['healthy', 200, { status: 'pass' }],
    ['unknown', 200, { status: 'pass' }],
    ['degraded', 200, { status: 'warn', output: 'degraded' }],
    ['starting', 503, { status: 'fail', output: 'starting' }],
    ['unhealthy', 503, { status: 'fail', output: 'unhealthy' }],
    ['draining', 503, { status: 'fail', output: 'draining' }],
    ['out-of-service', 503, { status: 'fail', output: 'out-of-service' }],
  ])('says of %s: %d', async (status, statusCode, body) => {
    const port = await onNode(endpointsOf(status));
    const answer = await ask(port, '/health/ready');
    expect(answer.statusCode).toBe(statusCode);
    expect(JSON.parse(answer.body)).toEqual(body);
  });

  it('keeps details for itself unless told otherwise', async () => {
    const { port } = await withChecks({});
    expect((await ask(port, '/health/ready')).body).toBe('{"status":"warn","output":"degraded"}');
  });

  it('names each check and what is wrong with it when told to', async () => {
    const { port } = await withChecks({ exposeDetails: true });
    expect(JSON.parse((await ask(port, '/health/ready')).body)).toEqual({
      status: 'warn',
      output: 'degraded',
      checks: {
        database: [{ status: 'pass' }],
        cache: [{ status: 'fail', output: 'connection refused' }],
      },
    });
  });

  it('reads what has been found: a flood of probes runs no check', async () => {
    const { port, looks } = await withChecks({});
    const before = looks();

    const answers = await Promise.all(Array.from({ length: 200 }, () => ask(port, '/health/ready')));

    expect(new Set(answers.map(({ statusCode }) => statusCode))).toEqual(new Set([200]));
    expect(looks()).toBe(before);
  });

  it('fails where the health cannot be read', async () => {
    const broken = {
      get readiness(): never {
        throw new Error('broken');
      },
      checks: new Map(),
    };
    const port = await onNode(healthEndpoints({ selfCheck: broken }));
    expect(await ask(port, '/health/ready')).toMatchObject({ statusCode: 503, body: '{"status":"fail"}' });
  });
});

describe('live', () => {
  it.each<[InstanceStatus]>([['starting'], ['unhealthy'], ['out-of-service']])(
    'does not mind what the checks find: %s',
    async (status) => {
      const port = await onNode(endpointsOf(status));
      expect(await ask(port, '/health/live')).toMatchObject({ statusCode: 200 });
    },
  );

  it.each<[string, () => boolean]>([
    ['says that the process is stuck', () => false],
    [
      'throws',
      () => {
        throw new Error('boom');
      },
    ],
  ])('fails when its callback %s', async (_what, live) => {
    const port = await onNode(endpointsOf('healthy', { live }));
    expect(await ask(port, '/health/live')).toMatchObject({ statusCode: 503, body: '{"status":"fail"}' });
    expect(await ask(port, '/health/ready')).toMatchObject({ statusCode: 200 });
  });
});

describe('the handler', () => {
  it('does not touch a response that others have begun', async () => {
    const { handler } = endpointsOf('healthy');
    const port = await listen((incoming, response) => {
      response.writeHead(201).write('answered before: ');
      response.end(String(handler(incoming, response)));
    });
    expect(await ask(port, '/health/ready')).toMatchObject({
      statusCode: 201,
      body: 'answered before: true',
    });
  });

  it('works below the path that Express mounts it at', async () => {
    const app = express();
    app.use('/internal', endpointsOf('healthy').handler);
    const port = await listen(app);
    expect(await ask(port, '/internal/health/ready')).toMatchObject({ statusCode: 200 });
    expect(await ask(port, '/health/ready')).toMatchObject({ statusCode: 404 });
  });
});

it('works below the prefix that Fastify is given', async () => {
  const app = fastify();
  onTestFinished(() => app.close());
  await app.register(endpointsOf('healthy').fastify, { prefix: '/internal' });
  await app.listen({ port: 0, host: '127.0.0.1' });
  expect(await ask(portOf(app.server), '/internal/health/ready')).toMatchObject({ statusCode: 200 });
});

it.each([
  ['selfCheck', {}],
  ['selfCheck', { selfCheck: {} }],
  ['live', { live: true }],
  ['livePath', { livePath: 'health' }],
  ['readyPath', { readyPath: '/health?x' }],
  ['readyPath', { readyPath: '/health/live' }],
  ['exposeDetails', { exposeDetails: 'yes' }],
  ['path', { path: '/health' }],
])('refuses a wrong %s', (field, options) => {
  const selfCheck = { readiness: 'healthy', checks: new Map() };
  const all = field === 'selfCheck' ? options : { selfCheck, ...options };
  const error = thrownBy(() => healthEndpoints(all as unknown as HealthEndpointsOptions));
  expect(error).toBeInstanceOf(ConfigValidationError);
  expect(error).toMatchObject({ field });
});

function endpointsOf(
  readiness: InstanceStatus,
  options: Partial<HealthEndpointsOptions> = {},
): HealthEndpoints {
  return healthEndpoints({ selfCheck: { readiness, checks: new Map() }, ...options });
}

/** A process whose database answers and whose cache, which it could do without, does not. */
async function withChecks(options: Omit<HealthEndpointsOptions, 'selfCheck'>) {
  const clock = new ManualClock();
  let looks = 0;
  const selfCheck = new SelfCheck({
    checks: {
      database: () => (looks += 1),
      cache: { check: () => Promise.reject(new Error('connection refused')), optional: true },
    },
    failureThreshold: 1,
    clock,
    logger: { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  onTestFinished(() => selfCheck.close());
  await clock.advance(0);
  const port = await onNode(healthEndpoints({ selfCheck, ...options }));
  return { port, looks: () => looks };
}

/** Each of these answers 418 where the endpoints leave it to the app. */
function onNode({ handler }: HealthEndpoints): Promise<number> {
  return listen((incoming, response) => {
    if (!handler(incoming, response)) response.writeHead(418).end();
  });
}

function onExpress({ handler }: HealthEndpoints): Promise<number> {
  const app = express();
  app.use(handler);
  app.use((_request, response) => void response.status(418).end());
  return listen(app);
}

async function onFastify(endpoints: HealthEndpoints): Promise<number> {
  const app = fastify();
  onTestFinished(() => app.close());
  await app.register(endpoints.fastify);
  app.setNotFoundHandler((_request, reply) => reply.code(418).send());
  await app.listen({ port: 0, host: '127.0.0.1' });
  return portOf(app.server);
}

async function listen(listener: RequestListener): Promise<number> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  onTestFinished(() => {
    server.close();
    server.closeAllConnections();
  });
  await once(server, 'listening');
  return portOf(server);
}

function portOf(server: Server): number {
  const address: AddressInfo | string | null = server.address();
  if (address === null || typeof address === 'string') throw new Error('The server has no port');
  return address.port;
}

interface Reply {
  readonly statusCode: number | undefined;
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
}

async function ask(
  port: number,
  path: string,
  {
    body,
    ...options
  }: { readonly method?: string; readonly headers?: Record<string, string>; readonly body?: string } = {},
): Promise<Reply> {
  const asking = request({ host: '127.0.0.1', port, path, agent: false, ...options });
  const answered = new Promise<Reply>((resolve, reject) => {
    asking.on('error', reject).on('response', (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => {
        resolve({ statusCode: response.statusCode, headers: response.headers, body: text });
      });
    });
  });
  asking.end(body);
  return answered;
}

function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('It should have thrown');
}
