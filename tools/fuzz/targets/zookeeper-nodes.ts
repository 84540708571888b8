import { sdCodec } from '../../../packages/backends/zookeeper/src/codec.ts';
import { curatorCodec } from '../../../packages/backends/zookeeper/src/curator-codec.ts';
import { areInstances, goodInstances, holds } from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';

const spring = {
  name: 'orders',
  id: 'a',
  address: '10.0.0.1',
  port: 8080,
  sslPort: null,
  payload: {
    '@class': 'org.springframework.cloud.zookeeper.discovery.ZookeeperInstance',
    id: 'application-1',
    name: 'orders',
    metadata: { instance_status: 'UP', zone: 'a' },
  },
  registrationTimeUTC: 1_700_000_000_000,
  serviceType: 'DYNAMIC',
  uriSpec: { parts: [{ value: 'scheme', variable: true }] },
};

/** The data of a node, as Curator and Spring Cloud write it, and as we do. */
export const zookeeperNodes: FuzzTarget = {
  name: 'zookeeper-nodes',
  format: 'json',
  seeds: [
    JSON.stringify(spring),
    JSON.stringify({ ...spring, sslPort: 443, enabled: false, payload: null }),
    JSON.stringify({
      ...spring,
      payload: {
        metadata: {
          'sd-tags': '["a"]',
          'sd-weight': '2',
          'sd-status': 'draining',
          instance_status: 'OUT_OF_SERVICE',
        },
      },
    }),
    curatorCodec.encode(goodInstances(1)[0]!), // it has one
  ],
  words: [
    'sd-tags',
    'sd-weight',
    'sd-status',
    'sd-updatedAt',
    'instance_status',
    'UP',
    'DOWN',
    'enabled',
    'draining',
    'sslPort',
    '[[1]]',
  ],
  run(input) {
    for (const codec of [curatorCodec, sdCodec]) {
      const { instance, problem } = codec.decode(input.toString(), { service: 'orders', id: 'a' });
      holds(problem === undefined || problem.length <= 1_000, 'a problem without bounds');
      if (instance === undefined) continue;
      areInstances([instance], 'orders');
      holds(instance.id === 'a', 'an instance under the id of another');
    }
  },
};
