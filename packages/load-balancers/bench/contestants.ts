import { createInstance, type ServiceInstance } from '@sd/core';
import { anyRequest, EndpointPool, type Endpoint, type PickRequest } from '../src/index.ts';

/** Something that picks one of n. */
export interface Contestant {
  readonly name: string;
  readonly step: 'pick' | 'pick and finish';
  /** Makes n endpoints; what it returns takes `count` steps. */
  prepare(n: number): (count: number) => void;
}

const ours = [
  'round-robin',
  'random',
  'weighted-round-robin',
  'zone-aware',
  'least-connections',
  'ip-hash',
] as const;

export const contestants: readonly Contestant[] = [
  { name: 'list[i++ % n]', step: 'pick', prepare: plainIndex },
  ...ours
    .filter((strategy) => strategy !== 'least-connections') // its picks alone would pile up
    .map((strategy): Contestant => ({ name: strategy, step: 'pick', prepare: (n) => pickOnly(strategy, n) })),
  ...ours.map((strategy): Contestant => ({
    name: strategy,
    step: 'pick and finish',
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
  const list = poolOf(n).endpoints;
  let next = 0;
  return (count) => {
    let last: Endpoint | undefined;
    for (let step = 0; step < count; step += 1) last = list[next++ % list.length];
    sink.last = last;
  };
}

function pickOnly(strategy: string, n: number): (count: number) => void {
  const set = poolOf(n).set(strategy);
  const hashes = strategy === 'ip-hash';
  return (count) => {
    let last: Endpoint | undefined;
    for (let step = 0; step < count; step += 1) last = set.pick(hashes ? keyed(step) : anyRequest);
    sink.last = last;
  };
}

function pickAndFinish(strategy: string, n: number): (count: number) => void {
  const pool = poolOf(n);
  const set = pool.set(strategy);
  const hashes = strategy === 'ip-hash';
  return (count) => {
    for (let step = 0; step < count; step += 1) {
      const endpoint = set.pick(hashes ? keyed(step) : anyRequest);
      if (endpoint !== undefined) pool.finish(endpoint, 'ok', 1);
    }
  };
}

function fiftyInFlight(n: number): (count: number) => void {
  const pool = poolOf(n);
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

function poolOf(n: number): EndpointPool {
  const pool = new EndpointPool({ service: 'orders', zone: 'zone-0' });
  pool.update(instances(n));
  return pool;
}

/** A key for each of 1,024 callers. */
function keyed(step: number): PickRequest {
  return requests[step & 1_023] ?? anyRequest;
}

const requests = Array.from({ length: 1_024 }, (_, caller): PickRequest => ({
  key: `10.1.0.${caller}`,
  tried: [],
}));
