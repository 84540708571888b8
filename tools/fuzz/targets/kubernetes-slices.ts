import { parseSlice, type EndpointSlice } from '../../../packages/backends/kubernetes/src/endpoint-slice.ts';
import { SliceMapping } from '../../../packages/backends/kubernetes/src/slice-mapping.ts';
import { WatchedService } from '../../../packages/backends/kubernetes/src/watched-service.ts';
import { areInstances, holds, listOf, newMalformed, parseJson, reportIsBounded } from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';
import { recordedSlices } from './kubernetes-recordings.ts';

const good = {
  metadata: {
    namespace: 'demo',
    name: 'good',
    resourceVersion: '999999999',
    labels: { 'kubernetes.io/service-name': 'web' },
  },
  addressType: 'IPv4',
  endpoints: [1, 2, 3].map((n) => ({
    addresses: [`10.9.9.${n}`],
    targetRef: { kind: 'Pod', name: `good-${n}`, uid: `u${n}` },
  })),
  ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
};

/** EndpointSlices of a service, one state of them after the other. */
export const kubernetesSlices: FuzzTarget = {
  name: 'kubernetes-slices',
  format: 'json',
  seeds: [
    JSON.stringify(recordedSlices.slice(0, 2)),
    JSON.stringify(recordedSlices.slice(2, 4)),
    JSON.stringify([
      good,
      {
        ...good,
        metadata: { ...good.metadata, name: 'b', annotations: { 'sd.io/weight': '2', 'sd.io/port': 'http' } },
      },
    ]),
    JSON.stringify([
      {
        ...good,
        addressType: 'IPv6',
        endpoints: [{ addresses: ['fd00::1'], zone: 'a', conditions: { ready: false } }],
      },
    ]),
  ],
  words: [
    'sd.io/weight',
    'sd.io/port',
    'sd.io/protocol',
    'IPv4',
    'IPv6',
    'FQDN',
    'Pod',
    'terminating',
    '10.9.9.1',
    'good-1',
    'h2c',
    'kubernetes.io/h2c',
    'TCP',
    'UDP',
    'constructor',
    'uid',
  ],
  run(input) {
    const slices = listOf(parseJson(input))
      .map(parseSlice)
      .filter((slice) => slice !== undefined);
    const malformed = newMalformed();
    const options = { port: undefined, ports: undefined, family: undefined, malformed };
    const current = new Map<string, EndpointSlice>();
    const incremental = watched(current, options);
    const add = (slice: EndpointSlice): void => void current.set(`${slice.namespace}/${slice.name}`, slice);
    for (const slice of slices) {
      add(slice);
      const afresh = [...watched(current, options)];
      areInstances(afresh, 'web');
      holds(textsOf(incremental) === textsOf(afresh), 'step by step it is another service than all at once');
    }
    add(parseSlice(good)!); // it is one
    const found = [...incremental];
    holds(textsOf(found) === textsOf(watched(current, options)), 'with the last slice it is another service');
    const isClaimed = JSON.stringify(slices).match(/10\.9\.9\.|good-/) !== null;
    const places = new Set(found.map(({ host, port }) => `${host}:${port}`));
    for (const n of [1, 2, 3]) holds(isClaimed || places.has(`10.9.9.${n}:8080`), 'a good endpoint is lost');
    reportIsBounded(malformed);
  },
};

function watched(
  current: ReadonlyMap<string, EndpointSlice>,
  options: ConstructorParameters<typeof SliceMapping>[0],
): WatchedService {
  const feed = {
    service: 'web',
    push: () => undefined,
    fail: () => undefined,
    signal: new AbortController().signal,
  };
  return new WatchedService(feed, new SliceMapping(options), () => current);
}

/** In which order instances stand is no matter. */
const textsOf = (instances: Iterable<object>): string =>
  Array.from(instances, (instance) => JSON.stringify(instance))
    .sort()
    .join('\n');
