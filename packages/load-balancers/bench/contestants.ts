import { createInstance, type ServiceInstance } from '@sd/core';
import { anyRequest, EndpointPool, type Endpoint, type PickRequest } from '@sd/load-balancers';

/** Something that picks one of n. */
export interface Contestant {
  readonly name: string;
  readonly step: 'pick' | 'pick and finish';
  /** More endpoints than this it is not made for. */
  readonly upTo?: number | undefined;
  /** Makes n endpoints; what it returns takes `count` steps. */
  prepare(n: number): (count: number) => void;
}

const ours = [
  'round-robin',
  'random',
  'weighted-round-robin',
  'weighted-random',
  'zone-aware',
  'least-connections',
  'least-request',
  'peak-ewma',
  'ring-hash',
  'maglev',
  'rendezvous',
  'sticky',
] as const;

export const plainIndexName = 'list[i++ % n]';

const limitOf = (strategy: string): number | undefined => (strategy === 'rendezvous' ? 64 : undefined);

export const contestants: readonly Contestant[] = [
  { name: plainIndexName, step: 'pick', prepare: plainIndex },
  ...ours
    .filter((strategy) => strategy !== 'least-connections') // its picks alone would pile up
    .map((strategy): Contestant => ({
      name: strategy,
      step: 'pick',
      upTo: limitOf(strategy),
      prepare: (n) => pickOnly(strategy, n),
    })),
  ...ours.map((strategy): Contestant => ({
    name: strategy,
    step: 'pick and finish',
    upTo: limitOf(strategy),
    prepare: (n) => pickAndFinish(strategy, n),
  })),
  { name: 'least-connections, 50 in flight', step: 'pick and finish', prepare: fiftyInFlight },
];

/** Weights from 1 to 5, three zones. */
export function instances(count: number): ServiceInstance[] {
  return Array.from({ length: count }, (_, index) =>
    createInstance(
      {
        service: 'orders',
        id: `orders-${String(index).padStart(5, '0')}`,
        host: `10.0.${index >> 8}.${index & 255}`,
        port: 8080,
        weight: 1 + (index % 5),
        zone: `zone-${index % 3}`,
      },
      0,
    ),
  );
}

/** What a step returns goes here, so that no step can be optimized away. */
export const sink: { last: unknown } = { last: undefined };

function plainIndex(n: number): (count: number) => void {
  const list = poolWithAllLayers(n).endpoints;
  let next = 0;
  return (count) => {
    let last: Endpoint | undefined;
    for (let step = 0; step < count; step += 1) last = list[next++ % list.length];
    sink.last = last;
  };
}

function pickOnly(strategy: string, n: number): (count: number) => void {
  const set = poolWithAllLayers(n).set(strategy);
  const hashes = keyedStrategies.includes(strategy);
  return (count) => {
    let last: Endpoint | undefined;
    for (let step = 0; step < count; step += 1) last = set.pick(hashes ? keyed(step) : anyRequest);
    sink.last = last;
  };
}

function pickAndFinish(strategy: string, n: number): (count: number) => void {
  const pool = poolWithAllLayers(n);
  const set = pool.set(strategy);
  const hashes = keyedStrategies.includes(strategy);
  return (count) => {
    for (let step = 0; step < count; step += 1) {
      const endpoint = set.pick(hashes ? keyed(step) : anyRequest);
      if (endpoint !== undefined) pool.finish(endpoint, 'ok', 1);
    }
  };
}

function fiftyInFlight(n: number): (count: number) => void {
  const pool = poolWithAllLayers(n);
  const set = pool.set('least-connections');
  const underWay = Array.from({ length: 50 }, () => set.pick(anyRequest));
  return (count) => {
    for (let step = 0; step < count; step += 1) {
      const endpoint = underWay[step % 50];
      if (endpoint !== undefined) pool.finish(endpoint, 'ok', 1);
      underWay[step % 50] = set.pick(anyRequest);
    }
  };
}

/** Every layer is on but that of zones, which `zone-aware` has alone: none changes who is picked here, each is asked. */
export function poolWithAllLayers(n: number): EndpointPool {
  const pool = new EndpointPool({
    service: 'orders',
    zone: 'zone-0',
    subset: { client: 'shop-1', size: 1_000_000 },
    slowStart: { windowMs: 10_000, requests: 10 },
    maxInFlight: 2 ** 30,
    layers: [{ name: 'nothing', apply: () => undefined }],
  });
  pool.update(instances(n));
  return pool;
}

const keyedStrategies = ['ring-hash', 'maglev', 'rendezvous', 'sticky'];

/** A key for each of 1,024 callers. */
function keyed(step: number): PickRequest {
  return requests[step & 1_023] ?? anyRequest;
}

const requests = Array.from({ length: 1_024 }, (_, caller): PickRequest => ({
  key: `10.1.0.${caller}`,
  tried: [],
}));
