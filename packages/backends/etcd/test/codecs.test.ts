import { describe, expect, it } from 'vitest';
import { ConfigValidationError, createInstance, parseInstance } from '@sd/core';
import { requireServer } from '../../../../tools/servers/index.ts';
import { kratosCodec, type EtcdCodec } from '../src/index.ts';
import { ids, instance, openBackend, openServer, openWatch } from './open-backend.ts';

const ttl = 60_000;
/** As go-kratos 2.8 writes it. */
const kratos = {
  id: 'f3b2',
  name: 'helloworld',
  version: 'v1.0.0',
  metadata: { region: 'eu' } as Record<string, string> | null,
  endpoints: ['grpc://10.0.0.7:9000?isSecure=false', 'http://10.0.0.7:80?isSecure=false'],
};

describe.skipIf(!requireServer('etcd'))('codecs', { timeout: 20_000 }, () => {
  it('what go-kratos publishes is found and watched', async () => {
    const server = await openServer();
    const backend = openBackend({ endpoints: server.url, codec: 'kratos' });
    const watch = await openWatch(backend, 'helloworld');

    await server.put('/microservices/helloworld/f3b2', JSON.stringify(kratos));
    await server.put('/microservices/helloworld2/f3b2', JSON.stringify({ ...kratos, name: 'helloworld2' }));

    const { instances } = await watch.next(({ length }) => length === 1, { timeoutMs: 5_000 });
    expect(instances).toEqual(await backend.getInstances('helloworld'));
    expect(instances).toMatchObject([
      {
        id: 'f3b2',
        host: '10.0.0.7',
        port: 80,
        protocol: 'http',
        version: 'v1.0.0',
        metadata: { region: 'eu' },
      },
    ]);
    expect([...(await backend.listServices())].sort()).toEqual(['helloworld', 'helloworld2']);
  });

  it('what is registered as go-kratos does is written as it writes it', async () => {
    const server = await openServer();
    const backend = openBackend({ endpoints: server.url, codec: 'kratos' });
    const init = {
      service: 'orders',
      id: 'a',
      host: '::1',
      port: 8443,
      protocol: 'https',
      version: '1',
      weight: 3,
    };
    const lease = await backend.register(createInstance(init, 0), { ttl });

    const [entry] = await server.entries('/microservices/');
    expect(entry?.key).toBe('/microservices/orders/a');
    expect(JSON.parse(entry?.value ?? '')).toEqual({
      id: 'a',
      name: 'orders',
      version: '1',
      metadata: { weight: '3' },
      endpoints: ['http://[::1]:8443?isSecure=true'],
    });
    expect(await backend.getInstances('orders')).toMatchObject([{ ...init, metadata: { weight: '3' } }]);
    await lease.release();
    expect(await server.entries('/microservices/')).toEqual([]);
  });

  it('what go-zero publishes is found and watched, and nothing can be registered as it does', async () => {
    const server = await openServer();
    const backend = openBackend({ endpoints: server.url, codec: 'go-zero' });
    const watch = await openWatch(backend, 'user.rpc');

    await server.put('user.rpc/7587870', '10.0.0.8:8080');
    await server.put('user.rpc/7587871', '10.0.0.9:8080');
    await server.put('user.rpc/7587872', 'nonsense');

    const { instances } = await watch.next(({ length }) => length === 2, { timeoutMs: 5_000 });
    expect(instances).toMatchObject([
      { service: 'user.rpc', id: '7587870', host: '10.0.0.8', port: 8080, protocol: 'grpc' },
      { service: 'user.rpc', id: '7587871', host: '10.0.0.9', port: 8080 },
    ]);
    expect(await backend.listServices()).toEqual(['user.rpc']);
    const refusal = backend.register(createInstance({ service: 'a', host: 'b', port: 1 }, 0), { ttl });
    await expect(refusal).rejects.toThrow(ConfigValidationError);
    await expect(refusal).rejects.toThrow(/"codec" is the codec "go-zero", which only reads/);
  });

  it('a way of one’s own is used for all', async () => {
    const server = await openServer();
    const mine: EtcdCodec = {
      name: 'mine',
      prefix: 'mine/',
      parse: ({ service, id, value }) =>
        parseInstance({ service, id, host: value, port: 1 }, { service, id }),
      encode: ({ host }) => host,
    };
    const backend = openBackend({ endpoints: server.url, codec: mine, prefix: '/deep/down/' });
    await backend.register(createInstance({ service: 'orders', id: 'a', host: 'there', port: 1 }, 0), {
      ttl,
    });
    expect(await server.entries('/deep/down/')).toMatchObject([
      { key: '/deep/down/orders/a', value: 'there' },
    ]);
    expect(ids(await backend.getInstances('orders'))).toEqual(['a']);
  });

  it('a codec of users that throws costs the entry alone', async () => {
    const server = await openServer();
    const codec: EtcdCodec = {
      name: 'careless',
      prefix: '/careless/',
      parse: ({ service, value }) => parseInstance(JSON.parse(value), { service }),
      encode: (each) => JSON.stringify(each),
    };
    const backend = openBackend({ endpoints: server.url, codec });
    const watch = await openWatch(backend);
    await server.put('/careless/orders/broken', 'no JSON');
    await backend.register(instance(1), { ttl });

    await watch.next(({ length }) => length === 1, { timeoutMs: 5_000 });
    expect(ids(await backend.getInstances('orders'))).toEqual(['orders-1']);
    const problem = expect.stringContaining('the codec "careless" failed: SyntaxError') as unknown;
    expect(backend.malformed.recent).toEqual([
      { service: 'orders', key: '/careless/orders/broken', problem },
    ]);
  });
});

describe('kratosCodec', () => {
  const read = (record: unknown, scheme?: string) =>
    kratosCodec(scheme).parse({ service: 'helloworld', id: 'f3b2', value: JSON.stringify(record) });
  const at = (...endpoints: unknown[]) => ({ ...kratos, endpoints });

  it.each([
    [
      'http before others',
      at('grpc://a:1', 'http://b:2'),
      undefined,
      { host: 'b', port: 2, protocol: 'http' },
    ],
    ['else the first', at('ws://a:1', 'grpc://b:2'), undefined, { host: 'a', port: 1, protocol: 'ws' }],
    [
      'the scheme that is wanted',
      at('http://a:1', 'grpc://b:2'),
      'grpc',
      { host: 'b', port: 2, protocol: 'grpc' },
    ],
    ['a secure one as that', at('http://a:1?isSecure=true'), undefined, { protocol: 'https' }],
    ['a secure grpc', at('grpc://a:1?x=y&isSecure=true'), undefined, { protocol: 'grpcs' }],
    ['an IPv6 address', at('http://[::1]:80'), undefined, { host: '::1', port: 80 }],
    ['a weight', { ...kratos, metadata: { weight: '7' } }, undefined, { weight: 7 }],
    ['no metadata', { ...kratos, metadata: null }, undefined, { metadata: {}, weight: 1 }],
  ])('takes %s', (_, record, scheme, expected) => {
    expect(read(record, scheme)).toMatchObject({ instance: expected });
  });

  it.each([
    ['another name', { ...kratos, name: 'other' }, undefined, /"name" is not "helloworld"/],
    ['another id', { ...kratos, id: 'x' }, undefined, /"id" is not "f3b2"/],
    ['no endpoints', { ...kratos, endpoints: null }, undefined, /"endpoints" has no URL/],
    ['endpoints that are none', at('10.0.0.7:80', 7, null, 'http://'), undefined, /"endpoints" has no URL/],
    ['not the scheme that is wanted', at('http://a:1'), 'grpc', /no URL of the scheme grpc/],
    ['an impossible port', at('http://a:70000'), undefined, /"port" is 70000/],
    ['metadata that are no text', { ...kratos, metadata: { a: 1 } }, undefined, /metadata/],
    ['no object', 7, undefined, /expected an object/],
  ])('refuses %s', (_, record, scheme, problem) => {
    expect(read(record, scheme).problem).toMatch(problem);
  });
});
