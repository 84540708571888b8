import { expect, it, vi } from 'vitest';
import { MalformedEntries, seededRng, type ServiceInstance, type WatchFeed } from '@sd/core';
import { silentLogger } from '@sd/testkit';
import { parseSlice, type EndpointSlice } from '../src/endpoint-slice.ts';
import { SliceMapping } from '../src/slice-mapping.ts';
import { WatchedService } from '../src/watched-service.ts';

const feed: WatchFeed = {
  service: 'web',
  push: () => undefined,
  fail: () => undefined,
  signal: new AbortController().signal,
};

interface Shape {
  /** Of few pods and addresses, endpoints are in several slices, and pods have several addresses. */
  readonly pods: number;
  readonly ipv4: number;
}

function randomSlice(rng: () => number, name: string, version: number, shape: Shape): EndpointSlice {
  const some = (count: number): number => Math.floor(rng() * count);
  const family = rng() < shape.ipv4 ? 'IPv4' : 'IPv6';
  const slice = parseSlice({
    metadata: {
      name,
      namespace: 'demo',
      resourceVersion: String(version),
      labels: { 'kubernetes.io/service-name': 'web' },
    },
    addressType: family,
    endpoints: Array.from({ length: some(5) }, () => ({
      addresses: [family === 'IPv4' ? `10.0.0.${1 + some(shape.pods)}` : `fd00::${1 + some(shape.pods)}`],
      conditions: { ready: rng() < 0.5, terminating: rng() < 0.3 },
      ...(rng() < 0.8 ? { targetRef: { kind: 'Pod', name: `web-${some(shape.pods)}` } } : {}),
    })),
    ports: [{ name: rng() < 0.8 ? 'http' : 'metrics', port: rng() < 0.9 ? 8080 : 9090 }],
  });
  if (slice === undefined) throw new Error('this is no slice');
  return slice;
}

const byId = (instances: Iterable<ServiceInstance>): readonly ServiceInstance[] =>
  [...instances].sort((left, right) => (left.id < right.id ? -1 : 1));

const newMapping = (): SliceMapping =>
  new SliceMapping({
    port: undefined,
    ports: undefined,
    family: undefined,
    malformed: new MalformedEntries(silentLogger),
  });

it.each([
  [1, { pods: 8, ipv4: 0.8 }],
  [2, { pods: 8, ipv4: 0.8 }],
  [3, { pods: 8, ipv4: 0.2 }],
  [4, { pods: 250, ipv4: 0.9 }],
  [5, { pods: 250, ipv4: 0.2 }],
])('whatever changes (seed %d, %j), it has what all slices together mean', (seed, shape) => {
  const rng = seededRng(seed);
  const mapping = newMapping();
  const slices = new Map<string, EndpointSlice>();
  const watched = new WatchedService(feed, mapping, () => slices);
  for (let version = 1; version <= 1_000; version += 1) {
    const name = `web-${Math.floor(rng() * 4)}`;
    const known = slices.get(name);
    if (rng() < 0.1) slices.delete(name);
    else if (known !== undefined && rng() < 0.5) {
      const endpoints = known.endpoints.map((endpoint) => ({
        ...(endpoint as object),
        conditions: { ready: rng() < 0.5 },
      }));
      slices.set(name, { ...known, version: String(version), endpoints });
    } else slices.set(name, randomSlice(rng, name, version, shape));
    if (rng() < 0.3) continue;
    const { instances } = mapping.merge([...slices.values()].map((slice) => mapping.map('web', slice)));
    expect(byId(watched)).toEqual(byId(instances));
  }
});

const pod = (n: number, ready = true) => ({
  addresses: [`10.0.0.${n}`],
  conditions: { ready },
  targetRef: { kind: 'Pod', name: `web-${n}` },
});

let versions = 0;

function sliceOf(name: string, endpoints: readonly unknown[], addressType = 'IPv4'): EndpointSlice {
  versions += 1;
  const labels = { 'kubernetes.io/service-name': 'web' };
  const metadata = { name, namespace: 'demo', resourceVersion: String(versions), labels };
  const slice = parseSlice({ metadata, addressType, endpoints, ports: [{ name: 'http', port: 8080 }] });
  if (slice === undefined) throw new Error('this is no slice');
  return slice;
}

type Slices = Map<string, EndpointSlice>;

it.each<readonly [string, readonly string[], (slices: Slices) => unknown]>([
  ['changed', ['1', '2', '3'], (slices) => slices.set('a', sliceOf('a', [pod(1, false), pod(2)]))],
  ['replaced', ['2', '3', '9'], (slices) => slices.set('a', sliceOf('a', [pod(9), pod(2)]))],
  ['added', ['1', '2', '3', '9'], (slices) => slices.set('a', sliceOf('a', [pod(1), pod(2), pod(9)]))],
  ['added in a new slice', ['1', '2', '3', '9'], (slices) => slices.set('c', sliceOf('c', [pod(9)]))],
  ['removed', ['2', '3'], (slices) => slices.set('a', sliceOf('a', [pod(2)]))],
  ['removed with its slice', ['1', '2'], (slices) => slices.delete('b')],
  [
    'moved to another slice at once',
    ['1', '2', '3'],
    (slices) => slices.set('b', sliceOf('b', [pod(1), pod(3)])).set('a', sliceOf('a', [pod(2)])),
  ],
])('an endpoint that was %s is put in without merging all others', (_, pods, change) => {
  const mapping = newMapping();
  const merge = vi.spyOn(mapping, 'merge');
  const slices: Slices = new Map([
    ['a', sliceOf('a', [pod(1), pod(2)])],
    ['b', sliceOf('b', [pod(3)])],
    ['v6', sliceOf('v6', [{ addresses: ['fd00::1'] }], 'IPv6')],
  ]);
  const watched = new WatchedService(feed, mapping, () => slices);
  expect(byId(watched)).toHaveLength(3);

  change(slices);

  expect(byId(watched).map(({ id }) => id)).toEqual(pods.map((n) => `web-${n}-8080`));
  expect(merge).toHaveBeenCalledTimes(1);
});
