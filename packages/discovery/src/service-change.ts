import type { ServiceInstance, ServiceView } from '@sd/core';

/** A change of a service, relative to what the same reader saw before. */
export interface ServiceChange {
  readonly view: ServiceView;
  readonly added: readonly ServiceInstance[];
  readonly updated: readonly ServiceInstance[];
  readonly removed: readonly ServiceInstance[];
}

export function changeBetween(before: readonly ServiceInstance[], view: ServiceView): ServiceChange {
  const known = new Map(before.map((instance) => [instance.id, instance]));
  const added: ServiceInstance[] = [];
  const updated: ServiceInstance[] = [];
  for (const instance of view.instances) {
    const old = known.get(instance.id);
    known.delete(instance.id);
    if (old === undefined) added.push(instance);
    else if (old !== instance) updated.push(instance);
  }
  return { view, added, updated, removed: [...known.values()] };
}
