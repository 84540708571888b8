import { MalformedEntries, SharedWatches } from '@sd/core';
import { silentLogger, WatchRecorder } from '@sd/testkit';
import { KubernetesServer } from '../../../../tools/servers/index.ts';
import { KubernetesBackend } from '@sd/kubernetes';
import { SliceMapping } from '../src/slice-mapping.ts';
import { serviceKey, SliceStore } from '../src/slice-store.ts';
import { parseSlice } from '../src/endpoint-slice.ts';
import { readEvent } from '../src/watch-event.ts';
import { WatchedService } from '../src/watched-service.ts';
import { manySlices, percentile, slicesPath } from './samples.ts';
import { figure, printTable } from '../../../../tools/bench/table.ts';

const shapes = [
  [1_000, 1, 1_000],
  [100, 10, 1_000],
  [1, 1_000, 1_000],
] as const;

/** 1,000 slices and 10,000 endpoints, of many services or of one. */
export async function measureScale(): Promise<void> {
  const starts: string[][] = [];
  for (const [services, , slices] of shapes) starts.push(await coldStart(services, slices));
  printTable(
    'Cold start',
    ['10,000 endpoints, all watched', 'cold start ms', 'CPU ms', 'heap MB', 'requests', 'connections'],
    starts,
  );
  const changes: string[][] = [];
  for (const [services, , slices] of shapes)
    for (const [kind, change] of kinds) changes.push(await measureChange(kind, change, services, slices));
  printTable(
    'A change among 10,000 endpoints',
    ['one endpoint', 'parse and apply p50 ms', 'p99 ms', 'with the snapshot p50 ms', 'p99 ms'],
    changes,
  );
}

const nameOf = (services: number): string => (services === 1 ? '1 service' : `${services} services`);

async function coldStart(services: number, slices: number): Promise<string[]> {
  await using server = await KubernetesServer.start();
  for (const slice of manySlices(slices, 10, services)) await server.command('POST', slicesPath, slice);
  const heapBefore = heap();
  await using backend = new KubernetesBackend({
    url: server.url,
    token: server.readerToken,
    namespace: 'demo',
    logger: silentLogger,
  });
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  const watches = Array.from({ length: services }, (_, n) => new WatchRecorder(backend, `web-${n}`));
  for (const watch of watches) await watch.next(() => true, { timeoutMs: 30_000 });
  const tookMs = performance.now() - startedAt;
  const { user, system } = process.cpuUsage(cpu);
  const found = watches.reduce((sum, { latest = [] }) => sum + latest.length, 0);
  if (found !== slices * 10) throw new Error(`found ${found}`);
  const mb = heap() - heapBefore;
  const requests = 1 + Math.ceil(slices / 500);
  const cpuMs = (user + system) / 1_000;
  return [nameOf(services), figure(tookMs), figure(cpuMs), figure(mb), String(requests), '1'];
}

function heap(): number {
  globalThis.gc?.();
  globalThis.gc?.();
  return process.memoryUsage().heapUsed / 1_048_576;
}

type Endpoints = ReturnType<typeof manySlices>[number]['endpoints'];
/** Of the slice that changes. */
type Change = (endpoints: Endpoints, turn: number) => Endpoints;

const newcomer = (turn: number): Endpoints[number] => ({
  addresses: [`10.100.${Math.trunc(turn / 250)}.${1 + (turn % 250)}`],
  conditions: { ready: true, serving: true, terminating: false },
  targetRef: { kind: 'Pod', namespace: 'demo', name: `web-new-${turn}` },
  nodeName: `n-${turn}`,
  zone: 'zone-0',
});

const kinds: readonly (readonly [string, Change])[] = [
  [
    'changed',
    ([first = newcomer(0), ...others], turn) => [
      { ...first, nodeName: `n-${turn}`, conditions: { ...first.conditions, ready: turn % 2 === 0 } },
      ...others,
    ],
  ],
  ['replaced', ([, ...others], turn) => [...others, newcomer(turn)]],
  ['added', (endpoints, turn) => [...endpoints, newcomer(turn)]],
  ['removed', ([, ...others]) => others],
];

/** From the line of the watch to the snapshot of the one who waits for it, without the network. */
async function measureChange(
  kind: string,
  change: Change,
  services: number,
  slices: number,
): Promise<string[]> {
  const store = new SliceStore();
  const malformed = new MalformedEntries(silentLogger);
  const mapping = new SliceMapping({ port: undefined, ports: undefined, family: undefined, malformed });
  const given = manySlices(slices, 10, services).map((slice, n) => ({
    ...slice,
    metadata: { ...slice.metadata, namespace: 'demo', resourceVersion: String(n + 1) },
  }));
  store.replace(given.map(parseSlice).filter((slice) => slice !== undefined));
  const watched = new Map<string, WatchedService>();
  const watches = new SharedWatches((feed) => {
    const key = serviceKey('demo', feed.service);
    const service = new WatchedService(feed, mapping, () => store.slicesOf(key));
    watched.set(key, service);
    service.tell();
  });
  const over = new AbortController();
  const readers = Array.from({ length: services }, (_, n) => watches.watch(`web-${n}`, over.signal));
  for (const reader of readers) await reader.next();
  const [ownMs, tookMs]: [number[], number[]] = [[], []];
  for (let turn = 0; turn < 1_000; turn += 1) {
    const n = (turn * 7) % slices;
    const slice = given[n];
    if (slice === undefined) continue;
    const metadata = { ...slice.metadata, resourceVersion: String(2_000 + turn) };
    given[n] = { ...slice, metadata, endpoints: change(slice.endpoints, turn) };
    const line = JSON.stringify({ type: 'MODIFIED', object: given[n] });
    const next = readers[n % services]?.next();
    const startedAt = performance.now();
    const event = readEvent(line);
    if (event.type !== 'put') throw new Error('this is no slice');
    for (const key of store.put(event.slice)) {
      watched.get(key)?.[Symbol.iterator]();
      ownMs.push(performance.now() - startedAt);
      // What is read again here is a thousand slices that have not changed.
      watched.get(key)?.tell();
    }
    await next;
    tookMs.push(performance.now() - startedAt);
  }
  over.abort();
  const figures = [ownMs, tookMs].flatMap((all) => [percentile(all, 0.5), percentile(all, 0.99)]);
  return [`${kind}, of ${nameOf(services)}`, ...figures.map(figure)];
}
