import { describe, expect, it } from 'vitest';
import { createInstance, instanceStatuses, type ServiceInstance } from '@sd/core';
import { curatorCodec } from '../src/curator-codec.ts';

const place = { service: 'orders', id: '9b2223ae-50e6-49a6-9f3b-87a1ff06a016' };

/** As Spring Cloud ZooKeeper 3 and 4 write it. */
const spring = `{"name":"orders","id":"9b2223ae-50e6-49a6-9f3b-87a1ff06a016","address":"arch-office","port":8090,
"sslPort":null,"payload":{"@class":"org.springframework.cloud.zookeeper.discovery.ZookeeperInstance",
"id":"orders-1","name":"orders","metadata":{"instance_status":"UP","zone":"left"}},
"registrationTimeUTC":1558000134185,"serviceType":"DYNAMIC","uriSpec":{"parts":[{"value":"scheme","variable":true},
{"value":"://","variable":false},{"value":"address","variable":true},{"value":":","variable":false},
{"value":"port","variable":true}]},"enabled":true}`;

const changedSpring = (changes: object): string =>
  JSON.stringify({ ...(JSON.parse(spring) as object), ...changes });

const decode = (text: string): ServiceInstance => {
  const { instance, problem } = curatorCodec.decode(text, place);
  if (instance === undefined) throw new Error(problem);
  return instance;
};

describe('what Spring Cloud ZooKeeper wrote', () => {
  it('is read as an instance', () => {
    expect(decode(spring)).toMatchObject({
      service: 'orders',
      id: place.id,
      host: 'arch-office',
      port: 8090,
      protocol: 'http',
      metadata: { zone: 'left' },
      status: 'healthy',
      registeredAt: 1_558_000_134_185,
    });
  });

  it.each([
    ['a port for TLS is that of https', { sslPort: 8443 }, { port: 8443, protocol: 'https' }],
    ['no payload is no metadata', { payload: null }, { metadata: {}, status: 'healthy' }],
    ['a payload of another kind is no metadata', { payload: 'v1' }, { metadata: {} }],
    ['Curator before 4 has no `enabled`', { enabled: undefined }, { status: 'healthy' }],
    ['what is disabled is out of service', { enabled: false }, { status: 'out-of-service' }],
    [
      'what Spring has taken out of service is so',
      { payload: { metadata: { instance_status: 'OUT_OF_SERVICE' } } },
      { status: 'out-of-service' },
    ],
  ])('%s', (_, changes, expected) => {
    expect(decode(changedSpring(changes))).toMatchObject(expected);
  });

  it.each([
    ['no JSON', '{', /no JSON object/],
    ['a list', '[]', /no JSON object/],
    ['another name', changedSpring({ name: 'payments' }), /"service" is "payments", expected "orders"/],
    ['another id', changedSpring({ id: 'x' }), /"id" is "x"/],
    ['no address', changedSpring({ address: null }), /"host" is null/],
    ['no port', changedSpring({ port: null }), /"port" is null/],
    ['metadata that are no text', changedSpring({ payload: { metadata: { a: 1 } } }), /metadata/],
    ['a weight that is none', changedSpring({ payload: { metadata: { 'sd-weight': 'much' } } }), /"weight"/],
    ['more than anybody needs', changedSpring({ x: 'y'.repeat(200_000) }), /characters long/],
  ])('%s is no instance, and is said to be none', (_, text, problem) => {
    expect(curatorCodec.decode(text, place).problem).toMatch(problem);
  });
});

describe('what we write for Curator', () => {
  const full = createInstance(
    {
      ...place,
      host: '10.0.0.1',
      port: 8080,
      protocol: 'grpc',
      version: '1.2.3',
      region: 'eu',
      zone: 'eu-1',
      weight: 2.5,
      priority: 1,
      tags: ['canary', 'a "b"'],
      metadata: { empty: '', text: 'naïve' },
      registeredAt: 1,
      updatedAt: 2,
    },
    0,
  );

  it.each(instanceStatuses)('comes back to its last field, with status %s', (status) => {
    const instance = { ...full, status };
    expect(decode(curatorCodec.encode(instance))).toEqual(instance);
    const plain = createInstance({ ...place, host: 'a', port: 1, protocol: 'https', status }, 5);
    expect(decode(curatorCodec.encode(plain))).toEqual(plain);
  });

  it('has the fields that Spring reads', () => {
    const instance = createInstance({ ...place, host: 'a', port: 443, protocol: 'https', weight: 3 }, 5);
    expect(JSON.parse(curatorCodec.encode(instance))).toEqual({
      name: 'orders',
      id: place.id,
      address: 'a',
      port: 443,
      sslPort: 443,
      payload: {
        '@class': 'org.springframework.cloud.zookeeper.discovery.ZookeeperInstance',
        id: place.id,
        name: 'orders',
        metadata: { 'sd-weight': '3', instance_status: 'UP' },
      },
      registrationTimeUTC: 5,
      serviceType: 'DYNAMIC',
      uriSpec: (JSON.parse(spring) as { uriSpec: unknown }).uriSpec,
      enabled: true,
    });
  });

  it.each([
    ['draining', false, 'OUT_OF_SERVICE'],
    ['degraded', true, 'UP'],
    ['unknown', true, 'UP'],
  ] as const)(
    'of status %s is taken by Spring as one that does or does not take requests',
    (status, enabled, spring) => {
      expect(JSON.parse(curatorCodec.encode({ ...full, status }))).toMatchObject({
        enabled,
        payload: { metadata: { instance_status: spring } },
      });
    },
  );

  it.each(['sd-status', 'sd-weight', 'instance_status'])('has no place for metadata under %s', (key) => {
    const encode = (): string => curatorCodec.encode({ ...full, metadata: { [key]: '' } });
    expect(encode).toThrow(`"metadata" is the key "${key}"`);
  });

  it('can be taken out of service by somebody else', () => {
    const written = JSON.parse(curatorCodec.encode(full)) as object;
    expect(decode(JSON.stringify({ ...written, enabled: false })).status).toBe('out-of-service');
  });
});
