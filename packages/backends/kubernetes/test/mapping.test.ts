import { describe, expect, it } from 'vitest';
import { MalformedEntries, type ServiceInstance } from '@sd/core';
import { silentLogger } from '@sd/testkit';
import { parseSlice, type EndpointSlice } from '../src/endpoint-slice.ts';
import { SliceMapping, type SliceMappingOptions } from '../src/slice-mapping.ts';
import { hosts, ids } from './open-backend.ts';

interface Given {
  readonly name?: string;
  readonly version?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly addressType?: string;
  readonly endpoints?: readonly unknown[] | null;
  readonly ports?: readonly unknown[] | null;
}

const http = [{ name: 'http', port: 8080 }];
const pod = (name: string, address: string, more = {}) => ({
  addresses: [address],
  targetRef: { kind: 'Pod', name },
  ...more,
});

function sliceOf({ name = 'web-1', version = '1', labels, annotations, ...rest }: Given): EndpointSlice {
  const slice = parseSlice({
    metadata: {
      name,
      namespace: 'demo',
      resourceVersion: version,
      labels: { 'kubernetes.io/service-name': 'web', ...labels },
      annotations,
    },
    addressType: 'IPv4',
    endpoints: [pod('web-a', '10.0.0.1')],
    ports: http,
    ...rest,
  });
  if (slice === undefined) throw new Error('this is no slice');
  return slice;
}

function read(given: readonly Given[], options: Partial<SliceMappingOptions> = {}) {
  const malformed = new MalformedEntries(silentLogger);
  const mapping = new SliceMapping({
    port: undefined,
    ports: undefined,
    family: undefined,
    malformed,
    ...options,
  });
  const { instances } = mapping.merge(given.map((each) => mapping.map('web', sliceOf(each))));
  return { instances, malformed: malformed.recent };
}

const one = (given: Given, options: Partial<SliceMappingOptions> = {}): ServiceInstance | undefined =>
  read([given], options).instances[0];

describe('status', () => {
  it.each([
    ['is healthy when nothing is said', undefined, 'healthy'],
    ['is healthy when ready is null', { ready: null }, 'healthy'],
    [
      'is healthy when it is ready but does not serve (publishNotReadyAddresses)',
      { ready: true, serving: false },
      'healthy',
    ],
    ['is unhealthy when it is not ready', { ready: false, serving: false, terminating: false }, 'unhealthy'],
    [
      'is draining when it terminates and serves',
      { ready: false, serving: true, terminating: true },
      'draining',
    ],
    ['is draining when it terminates', { ready: false, serving: false, terminating: true }, 'draining'],
    ['is draining when it terminates though published', { ready: true, terminating: true }, 'draining'],
  ])('%s', (_, conditions, status) => {
    expect(one({ endpoints: [pod('web-a', '10.0.0.1', { conditions })] })?.status).toBe(status);
  });
});

describe('port', () => {
  const port = (name: string, number: number, more = {}) => ({
    name,
    port: number,
    protocol: 'TCP',
    ...more,
  });

  it.each([
    ['the only one', [port('main', 7000)], 7000],
    ['the one called http', [port('admin', 1), port('https', 2), port('http', 3)], 3],
    ['else the first that speaks it by its name', [port('admin', 1), port('grpc-orders', 2)], 2],
    [
      'else the first that speaks it by appProtocol',
      [port('admin', 1), port('main', 2, { appProtocol: 'kubernetes.io/h2c' })],
      2,
    ],
    ['else the first of TCP', [port('dns', 53, { protocol: 'UDP' }), port('a', 1), port('b', 2)], 1],
  ])('%s', (_, ports, number) => {
    expect(one({ ports })?.port).toBe(number);
  });

  const ports = [port('http', 8080), port('grpc', 9090), port('dns', 53, { protocol: 'UDP' })];

  it.each([
    ['by name', { port: 'grpc' }, 9090],
    ['by number', { port: 53 }, 53],
    ['by service', { port: 'http', ports: { web: 'grpc' } }, 9090],
    ['of another service', { ports: { constructor: 'grpc', other: 'grpc' } }, 8080],
  ])('chosen %s', (_, options, number) => {
    expect(one({ ports }, options)?.port).toBe(number);
  });

  it('chosen by a label, unless the consumer has chosen', () => {
    const labels = { 'sd.io/port': 'grpc' };
    expect(one({ ports, labels })?.port).toBe(9090);
    expect(one({ ports, labels }, { port: 'http' })?.port).toBe(8080);
  });

  it('the others are in the metadata', () => {
    expect(one({ ports })?.metadata).toMatchObject({
      portName: 'http',
      'port.grpc': '9090',
      'port.dns': '53',
    });
  });

  it('differs from slice to slice, as a named port of pods may', () => {
    const { instances } = read([
      { ports: http },
      { name: 'web-2', endpoints: [pod('web-b', '10.0.0.2')], ports: [{ name: 'http', port: 9999 }] },
    ]);
    expect(instances.map(({ port }) => port)).toEqual([8080, 9999]);
  });

  it('that pods in a slice of their own lack leaves nobody there: they are not called by another one', () => {
    const metrics = port('metrics', 9090);
    const { instances } = read([
      { ports: [port('http', 8080), metrics] },
      { name: 'web-2', endpoints: [pod('web-b', '10.0.0.2')], ports: [metrics] },
    ]);
    expect(ids(instances)).toEqual(['web-a-8080']);
  });

  it.each([
    ['missing', null, 'it has no TCP port with a number'],
    ['for all', [{ port: null }], 'it has no TCP port with a number'],
    ['of another name', http, 'it has no port "grpc", but "http" 8080'],
  ])('%s: reported, and nobody is there', (_, ports, problem) => {
    const { instances, malformed } = read([{ ports }], ports === http ? { port: 'grpc' } : {});
    expect(instances).toEqual([]);
    expect(malformed).toEqual([{ service: 'web', key: 'demo/web-1', problem }]);
  });
});

describe('protocol', () => {
  it.each([
    ['http', 'https', 'https'],
    ['main', 'kubernetes.io/h2c', 'http'],
    ['main', 'kubernetes.io/wss', 'wss'],
    ['main', 'grpc', 'grpc'],
    ['grpc-orders', undefined, 'grpc'],
    ['https', undefined, 'https'],
    ['http2-main', undefined, 'http'],
    ['tcp-db', undefined, 'tcp'],
    ['main', 'example.com/own', 'http'],
    ['', undefined, 'http'],
  ])('of a port "%s" with appProtocol %s is %s', (name, appProtocol, protocol) => {
    expect(one({ ports: [{ name, appProtocol, port: 1 }] })?.protocol).toBe(protocol);
  });

  it('is what a label says', () => {
    expect(one({ labels: { 'sd.io/protocol': 'grpcs' } })?.protocol).toBe('grpcs');
  });
});

describe('labels and annotations', () => {
  it('give version, weight, priority and region, an annotation before a label', () => {
    const labels = {
      'app.kubernetes.io/version': '1.2.3',
      'topology.kubernetes.io/region': 'eu',
      'sd.io/weight': '2.5',
      'sd.io/priority': '1',
      track: 'canary',
    };
    expect(one({ labels })).toMatchObject({
      version: '1.2.3',
      region: 'eu',
      weight: 2.5,
      priority: 1,
      metadata: { track: 'canary', namespace: 'demo' },
    });
    const annotations = { 'sd.io/weight': '7', 'sd.io/version': '2.0.0' };
    expect(one({ labels, annotations })).toMatchObject({ version: '2.0.0', weight: 7 });
  });

  it.each(['heavy', '-1', '1e9', ''])('a weight of "%s" is reported, and counts as 1', (weight) => {
    const { instances, malformed } = read([{ annotations: { 'sd.io/weight': weight } }]);
    expect(instances[0]?.weight).toBe(1);
    expect(malformed[0]?.problem).toContain('"sd.io/weight" is no number from 0 to 10000');
  });

  it.each([
    'sd.io/version',
    'app.kubernetes.io/version',
    'topology.kubernetes.io/region',
    'sd.io/protocol',
    'sd.io/port',
  ])('that are empty (%s) say nothing, and are no mistake', (name) => {
    const labels = { [name]: '' };
    const { instances, malformed } = read([{ labels }]);
    expect(instances).toMatchObject([{ id: 'web-a-8080', protocol: 'http' }]);
    expect(instances[0]).not.toHaveProperty('version');
    expect(instances[0]).not.toHaveProperty('region');
    expect(malformed).toEqual([]);
  });

  it.each([
    ['sd.io/version', '1'.repeat(129), 'a text of 1 to 128 characters'],
    ['sd.io/version', '1\n2', 'a text of 1 to 128 characters'],
    ['app.kubernetes.io/version', '1'.repeat(129), 'a text of 1 to 128 characters'],
    ['topology.kubernetes.io/region', 'r'.repeat(129), 'a text of 1 to 128 characters'],
    ['sd.io/protocol', 'HTTP', 'a URL scheme'],
    ['sd.io/port', 'grpc', 'one of the ports: "http" 8080'],
  ])('that cannot be (%s) are reported, and cost no endpoint', (key, value, rule) => {
    const { instances, malformed } = read([{ labels: { [key]: value } }]);
    expect(instances).toMatchObject([{ id: 'web-a-8080', protocol: 'http', port: 8080 }]);
    const problem = `"${key}" is not ${rule}; it is ignored`;
    expect(malformed).toEqual([{ service: 'web', key: 'demo/web-1', problem }]);
  });

  it('that are wrong in several ways are all reported', () => {
    const labels = { 'sd.io/protocol': 'HTTP', 'sd.io/weight': 'heavy', 'sd.io/priority': 'x' };
    expect(read([{ labels }]).malformed[0]?.problem).toMatch(/weight.*priority.*protocol/);
  });

  it('that are too long to be metadata are left out', () => {
    expect(one({ labels: { long: 'x'.repeat(5_000) } })?.metadata).not.toHaveProperty('long');
  });

  it('that are called as what means something to JavaScript cost no endpoint', () => {
    const { instances } = read([{ labels: { prototype: 'true', constructor: 'acme', team: 'shop' } }]);
    expect(ids(instances)).toEqual(['web-a-8080']);
    expect(instances[0]?.metadata).toMatchObject({ team: 'shop' });
  });

  it('that only say when something changed do not make an instance another', () => {
    const stamp = 'endpoints.kubernetes.io/last-change-trigger-time';
    expect(one({ annotations: { [stamp]: '1' } })).toEqual(one({ annotations: { [stamp]: '2' } }));
  });
});

describe('endpoints', () => {
  it('carry zone, node, pod, host name and hints', () => {
    const hints = { forZones: [{ name: 'z1' }, { name: 'z2' }], forNodes: [{ name: 'n1' }] };
    const endpoints = [pod('web-0', '10.0.0.1', { zone: 'z1', nodeName: 'n1', hostname: 'web-0', hints })];
    expect(one({ endpoints })).toMatchObject({
      id: 'web-0-8080',
      zone: 'z1',
      metadata: { pod: 'web-0', node: 'n1', hostname: 'web-0', 'hints.zones': 'z1,z2', 'hints.nodes': 'n1' },
    });
  });

  it('without a pod, as in a slice written by hand, are known by their address', () => {
    const endpoints = [{ addresses: ['10.0.0.7', '10.0.0.8'] }];
    expect(read([{ endpoints }]).instances.map(({ id }) => id)).toEqual(['10.0.0.7-8080']);
  });

  it('in two slices are one, and the newer slice counts, in whichever order they come', () => {
    const older = { version: '9', endpoints: [pod('web-a', '10.0.0.1', { zone: 'old' })] };
    const newer = { name: 'web-2', version: '10', endpoints: [pod('web-a', '10.0.0.1', { zone: 'new' })] };
    for (const slices of [
      [older, newer],
      [newer, older],
    ])
      expect(read(slices).instances.map(({ zone }) => zone)).toEqual(['new']);
  });

  it('of a pod that was made anew under its name are two until the old one is gone', () => {
    const older = { version: '9', endpoints: [pod('web-0', '10.0.0.1')] };
    const newer = { name: 'web-2', version: '10', endpoints: [pod('web-0', '10.0.0.2')] };
    for (const slices of [
      [older, newer],
      [newer, older],
    ]) {
      const { instances } = read(slices);
      expect(ids(instances)).toEqual(['10.0.0.1-8080', 'web-0-8080']);
      expect(instances.find(({ id }) => id === 'web-0-8080')?.host).toBe('10.0.0.2');
    }
  });

  it.each([
    ['no addresses', { targetRef: { kind: 'Pod', name: 'web-x' } }, 'demo/web-1#web-x'],
    ['an address that is none', { addresses: ['../etc/passwd'] }, 'demo/web-1#../etc/passwd'],
    ['nothing at all', 'x', 'demo/web-1#1'],
  ])('with %s cost themselves alone', (_, bad, key) => {
    const { instances, malformed } = read([{ endpoints: [pod('web-a', '10.0.0.1'), bad] }]);
    expect(ids(instances)).toEqual(['web-a-8080']);
    expect(malformed).toMatchObject([{ service: 'web', key }]);
  });

  it('with an empty zone have none, and that is no mistake', () => {
    const { instances, malformed } = read([{ endpoints: [pod('web-a', '10.0.0.1', { zone: '' })] }]);
    expect(instances[0]).not.toHaveProperty('zone');
    expect(malformed).toEqual([]);
  });

  it('with an impossible zone have none, which is reported', () => {
    const { instances, malformed } = read([
      { endpoints: [pod('web-a', '10.0.0.1', { zone: 'z'.repeat(200) })] },
    ]);
    expect(instances[0]).not.toHaveProperty('zone');
    const problem = '"zone" is not a text of 1 to 128 characters; it is ignored';
    expect(malformed).toEqual([{ service: 'web', key: 'demo/web-1#web-a', problem }]);
  });

  describe('whose address was given to another pod', () => {
    const ending = pod('web-a', '10.0.0.1', { conditions: { ready: false, terminating: true } });
    const ready = pod('web-b', '10.0.0.1');

    it.each([
      ['first', [ending, ready]],
      ['last', [ready, ending]],
    ])('are the one that stays, when the other is %s in the slice', (_, endpoints) => {
      expect(ids(read([{ endpoints }]).instances)).toEqual(['web-b-8080']);
    });

    it('are the one that stays, also when the other was there alone before', () => {
      const mapping = new SliceMapping({
        port: undefined,
        ports: undefined,
        family: undefined,
        malformed: new MalformedEntries(silentLogger),
      });
      const before = mapping.map('web', sliceOf({ endpoints: [ending] }));
      const slice = sliceOf({ version: '2', endpoints: [ready, structuredClone(ending)] });
      expect(ids(mapping.merge([mapping.map('web', slice, before)]).instances)).toEqual(['web-b-8080']);
    });

    it.each([
      ['older', '1', '2'],
      ['newer', '2', '1'],
    ])(
      'are the one that stays, when the other is in a slice that is %s',
      (_, endingVersion, readyVersion) => {
        const slices = [
          { name: 'web-1', version: endingVersion, endpoints: [ending] },
          { name: 'web-2', version: readyVersion, endpoints: [ready] },
        ];
        for (const given of [slices, slices.toReversed()])
          expect(ids(read(given).instances)).toEqual(['web-b-8080']);
      },
    );

    it('are two pods also when they have the same name', () => {
      const of = (uid: string, terminating: boolean) => ({
        addresses: ['10.0.0.1'],
        conditions: { terminating },
        targetRef: { kind: 'Pod', name: 'web-0', uid },
      });
      const { instances } = read([{ endpoints: [of('2', false), of('1', true)] }]);
      expect(instances).toMatchObject([{ id: 'web-0-8080', status: 'healthy' }]);
    });

    it('but of one pod the newer slice counts, though it ends there', () => {
      const [older, newer] = [pod('web-a', '10.0.0.1'), ending];
      const slices = [
        { name: 'web-2', version: '2', endpoints: [newer] },
        { name: 'web-1', version: '1', endpoints: [older] },
      ];
      expect(read(slices).instances).toMatchObject([{ id: 'web-a-8080', status: 'draining' }]);
    });
  });

  it('of a slice without any, and of one for names, are none and no mistake', () => {
    const { instances, malformed } = read([
      { endpoints: null, ports: null },
      { name: 'web-2', addressType: 'FQDN', endpoints: [{ addresses: ['example.com'] }] },
    ]);
    expect(instances).toEqual([]);
    expect(malformed).toEqual([]);
  });

  it('that are as they were are the same objects after a change of another', () => {
    const mapping = new SliceMapping({
      port: undefined,
      ports: undefined,
      family: undefined,
      malformed: new MalformedEntries(silentLogger),
    });
    const [a, b] = [pod('web-a', '10.0.0.1'), pod('web-b', '10.0.0.2')];
    const before = mapping.map('web', sliceOf({ endpoints: [a, b] }));
    const changed = { ...b, conditions: { ready: false } };
    const after = mapping.map(
      'web',
      sliceOf({ version: '2', endpoints: [structuredClone(a), changed] }),
      before,
    );
    const [first, second] = [mapping.merge([before]).instances, mapping.merge([after]).instances];
    expect(second[0]).toBe(first[0]);
    expect(second[1]).toMatchObject({ status: 'unhealthy' });
  });
});

describe('a dual stack', () => {
  const both: readonly Given[] = [
    { endpoints: [pod('web-a', '10.0.0.1'), pod('web-b', '10.0.0.2')] },
    { name: 'web-6', addressType: 'IPv6', endpoints: [pod('web-a', 'fd00::1'), pod('web-b', 'fd00::2')] },
  ];

  it('is served once for each pod, with IPv4', () => {
    expect(hosts(read(both).instances)).toEqual(['10.0.0.1', '10.0.0.2']);
  });

  it('is served with IPv6 where that is wanted, under the same ids', () => {
    const { instances } = read(both, { family: 'IPv6' });
    expect(hosts(instances)).toEqual(['fd00::1', 'fd00::2']);
    expect(ids(instances)).toEqual(ids(read(both).instances));
  });

  it('is served with IPv6 where there is nothing else', () => {
    expect(hosts(read(both.slice(1)).instances)).toEqual(['fd00::1', 'fd00::2']);
    expect(hosts(read([{ endpoints: [] }, ...both.slice(1)]).instances)).toEqual(['fd00::1', 'fd00::2']);
  });
});
