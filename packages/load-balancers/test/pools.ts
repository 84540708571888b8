import {
  createInstance,
  seededRng,
  type Rng,
  type ServiceInstance,
  type ServiceInstanceInit,
} from '@sd/core';
import {
  anyRequest,
  EndpointPool,
  type Endpoint,
  type EndpointPoolOptions,
  type EndpointSet,
  type IncrementalStrategy,
  type PickRequest,
} from '../src/index.ts';

export type Given = Partial<ServiceInstanceInit>;

export function instance(id: string, given: Given = {}): ServiceInstance {
  return createInstance(
    { service: 'orders', host: `${id}.local`, port: 80, id, registeredAt: 1, ...given },
    1,
  );
}

/** `i-000`, `i-001` … */
export function instances(count: number, given: (index: number) => Given = () => ({})): ServiceInstance[] {
  return Array.from({ length: count }, (_, index) =>
    instance(`i-${String(index).padStart(3, '0')}`, given(index)),
  );
}

/** Instances named by their weights' place: `a`, `b`, `c` … */
export function weighted(...weights: readonly number[]): ServiceInstance[] {
  return weights.map((weight, index) => instance(String.fromCharCode(97 + index), { weight }));
}

export function poolOf(snapshot: readonly ServiceInstance[], options: Partial<EndpointPoolOptions> = {}) {
  const pool = new EndpointPool({ service: 'orders', rng: seededRng(1), ...options });
  pool.update(snapshot);
  return pool;
}

/** One call after the other: the ids picked. */
export function inTurn(pool: EndpointPool, set: EndpointSet, count: number, request = anyRequest): string[] {
  return Array.from({ length: count }, () => {
    const endpoint = pick(set, request);
    pool.finish(endpoint, 'ok', 1);
    return endpoint.id;
  });
}

/** Calls that all stay under way: the ids picked. */
export function atOnce(set: EndpointSet, count: number): string[] {
  return Array.from({ length: count }, () => pick(set).id);
}

export function pick(set: EndpointSet, request: PickRequest = anyRequest): Endpoint {
  const endpoint = set.pick(request);
  if (endpoint === undefined) throw new Error('nothing to pick');
  return endpoint;
}

/** A strategy by itself, with the endpoints of a pool as its members. */
export function filled<T extends IncrementalStrategy>(strategy: T, { endpoints }: EndpointPool): T {
  for (const endpoint of endpoints) strategy.add(endpoint, endpoint.instance.weight);
  strategy.settle?.();
  return strategy;
}

export function tally(ids: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const id of ids) counts[id] = (counts[id] ?? 0) + 1;
  return counts;
}

export function ids(endpoints: readonly Endpoint[]): string[] {
  return endpoints.map(({ id }) => id);
}

/** `count` different ones, by chance. */
export function sample<T>(from: readonly T[], count: number, rng: Rng): T[] {
  const rest = [...from];
  return Array.from({ length: Math.min(count, rest.length) }, () =>
    rest.splice(Math.floor(rng() * rest.length), 1),
  ).flat();
}
