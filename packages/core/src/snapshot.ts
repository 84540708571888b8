import { sameInstance, type ServiceInstance } from './service-instance.ts';

/** By id; an instance that says the same as before is the same object as before. The last of an id counts. */
export function withIdentity(
  snapshot: readonly ServiceInstance[],
  before: readonly ServiceInstance[],
): ReadonlyMap<string, ServiceInstance> {
  const known = byId(before);
  return byId(
    snapshot.map((instance) => {
      const same = known.get(instance.id);
      return same !== undefined && sameInstance(same, instance) ? same : instance;
    }),
  );
}

/** Sorted by id and frozen; the very list that was before if it has the same objects. */
export function asList(
  instances: Iterable<ServiceInstance>,
  before: readonly ServiceInstance[],
): readonly ServiceInstance[] {
  const list = [...instances].sort((left, right) => (left.id < right.id ? -1 : 1));
  const same = list.length === before.length && list.every((instance, index) => instance === before[index]);
  return same ? before : Object.freeze(list);
}

/** A mistake in a backend costs a watch, and not the process whose timer would meet it. */
export function assertSnapshot(snapshot: unknown): void {
  const isInstance = (each: unknown): boolean => typeof Reflect.get(Object(each), 'id') === 'string';
  if (!Array.isArray(snapshot) || !snapshot.every(isInstance))
    throw new TypeError('The backend returned something else than an array of instances');
}

const byId = (instances: readonly ServiceInstance[]): ReadonlyMap<string, ServiceInstance> =>
  new Map(instances.map((instance) => [instance.id, instance]));
