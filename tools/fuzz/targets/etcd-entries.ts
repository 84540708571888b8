import { codecs, codecNames } from '../../../packages/backends/etcd/src/codec.ts';
import { kratosCodec } from '../../../packages/backends/etcd/src/kratos-codec.ts';
import { ServiceReader } from '../../../packages/backends/etcd/src/watched-service.ts';
import {
  areInstances,
  goodAreThere,
  goodInstances,
  holds,
  listOf,
  newMalformed,
  parseJson,
  reportIsBounded,
  textOf,
} from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';

const kratos = {
  id: 'a',
  name: 'orders',
  version: 'v1',
  metadata: { weight: '5' },
  endpoints: ['http://10.0.0.1:80?isSecure=false', 'grpc://[::1]:9000?isSecure=true'],
};

/** Of those that speak HTTP it reads none. */
const grpcAlone = kratosCodec('grpc');

/** Keys and values below the prefix of a service: ours, and those of go-kratos and go-zero. */
export const etcdEntries: FuzzTarget = {
  name: 'etcd-entries',
  format: 'json',
  seeds: [
    JSON.stringify([['/sd/orders/a', { service: 'orders', id: 'a', host: '10.0.0.1', port: 80 }]]),
    JSON.stringify([
      ['/microservices/orders/a', kratos],
      ['/microservices/orders/b', 'x'],
    ]),
    JSON.stringify([
      ['orders/7587', '10.0.0.1:8080'],
      ['orders/7588', '[::1]:80'],
      ['orders/', ''],
    ]),
  ],
  words: [
    'orders',
    '/sd/orders/',
    'http://',
    'grpc://',
    '?isSecure=true',
    ':8080',
    '[::1]',
    'endpoints',
    'metadata',
    'weight',
  ],
  run(input) {
    const entries = listOf(parseJson(input)).map((each) => {
      const [key, value] = listOf(each);
      return { key: textOf(key, '/sd/orders/x'), value: textOf(value, JSON.stringify(value ?? null)) };
    });
    for (const codec of [...codecNames.map((name) => codecs[name]), grpcAlone]) {
      const malformed = newMalformed();
      const reader = new ServiceReader({ prefix: codec.prefix, codec, malformed });
      const kvs = entries.map(({ key, value }) => ({ key: Buffer.from(key), value: Buffer.from(value) }));
      const isPlain = codec.encode === undefined || codec === grpcAlone;
      const good = isPlain ? [] : goodInstances(3);
      const goodKvs = good.map((instance) => ({
        key: Buffer.from(reader.prefixOf('orders') + instance.id),
        value: Buffer.from(codec.encode?.(instance) ?? ''),
      }));
      const found = reader.read('orders', [...kvs, ...goodKvs]);
      areInstances(found.values(), 'orders');
      const isOurs = codec.name === 'sd';
      goodAreThere(
        found.values(),
        isOurs ? good : good.map((each) => ({ ...each, registeredAt: 0, updatedAt: 0 })),
      );
      const distinct = new Set(kvs.map(({ key }) => key.toString())).size;
      holds(found.size <= distinct + good.length, 'more instances than keys');
      holds(found.size >= good.length && malformed.count <= distinct, 'a key is reported twice');
      reportIsBounded(malformed);
    }
  },
};
