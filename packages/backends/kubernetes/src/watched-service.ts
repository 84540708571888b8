import type { ServiceInstance, WatchFeed } from '@sd/core';
import type { EndpointSlice } from './endpoint-slice.ts';
import type { Family, MappedEndpoint, MappedSlice, SliceMapping } from './slice-mapping.ts';

/** A slice that is different. It was not there before, or is not there any more, where it is undefined. */
interface SliceChange {
  readonly before: MappedSlice | undefined;
  readonly after: MappedSlice | undefined;
}

/**
 * A service that is watched: reads the slices that changed since it was asked last, when it is asked. As long as each
 * endpoint is in one slice alone, and each id belongs to one endpoint, what changed is taken out and put in, so that a
 * service of thousands is not merged anew for each of its pods.
 */
export class WatchedService implements Iterable<ServiceInstance> {
  readonly feed: WatchFeed;
  readonly #mapping: SliceMapping;
  readonly #slices: () => ReadonlyMap<string, EndpointSlice>;
  readonly #mapped = new Map<string, MappedSlice>();
  /** By id. */
  #instances: ReadonlyMap<string, ServiceInstance> | undefined;
  /** Undefined when changes cannot be put in. */
  #plain: PlainService | undefined;

  constructor(feed: WatchFeed, mapping: SliceMapping, slices: () => ReadonlyMap<string, EndpointSlice>) {
    this.feed = feed;
    this.#mapping = mapping;
    this.#slices = slices;
  }

  /** Something is different. What it is, is found out when somebody wants to know. */
  tell(): void {
    this.feed.push(this);
  }

  [Symbol.iterator](): Iterator<ServiceInstance> {
    const changes = this.#read();
    if (this.#instances !== undefined && (changes.length === 0 || this.#putIn(changes)))
      return this.#instances.values();
    return this.#merge().values();
  }

  #read(): readonly SliceChange[] {
    const slices = this.#slices();
    const changes: SliceChange[] = [];
    for (const [key, slice] of slices) {
      const before = this.#mapped.get(key);
      if (before?.slice === slice) continue;
      const after = this.#mapping.map(this.feed.service, slice, before);
      this.#mapped.set(key, after);
      changes.push({ before, after });
    }
    if (this.#mapped.size === slices.size) return changes;
    for (const [key, before] of this.#mapped) {
      if (slices.has(key)) continue;
      this.#mapped.delete(key);
      changes.push({ before, after: undefined });
    }
    return changes;
  }

  #putIn(changes: readonly SliceChange[]): boolean {
    const plain = this.#plain;
    if (plain?.putIn(changes) !== true) return false;
    if (this.#mapping.family !== undefined) return true;
    // It may have been the last of its family, or the first of the one that is preferred.
    if (plain.family === 'IPv4') return plain.instances.size > 0;
    return changes.every(({ after }) => endpointsOf(after, 'IPv4').size === 0);
  }

  #merge(): ReadonlyMap<string, ServiceInstance> {
    const { family, instances, isPlain } = this.#mapping.merge(this.#mapped.values());
    const byId = new Map(instances.map((instance) => [instance.id, instance]));
    this.#plain = isPlain ? new PlainService(family, byId, this.#mapped.values()) : undefined;
    this.#instances = byId;
    return byId;
  }
}

/** Of one family, where no place and no id is claimed twice. */
class PlainService {
  readonly family: Family;
  readonly instances: Map<string, ServiceInstance>;
  readonly #places = new Set<string>();

  constructor(family: Family, instances: Map<string, ServiceInstance>, slices: Iterable<MappedSlice>) {
    this.family = family;
    this.instances = instances;
    for (const slice of slices)
      for (const { place } of endpointsOf(slice, family).values()) this.#places.add(place);
  }

  /** @returns false when it is plain no longer, and of no use */
  putIn(changes: readonly SliceChange[]): boolean {
    // Everything that is gone first: what moved to another slice is no second claim.
    for (const { before, after } of changes) this.#takeOut(before, after);
    return changes.every(({ before, after }) => this.#add(before, after));
  }

  #takeOut(before: MappedSlice | undefined, after: MappedSlice | undefined): void {
    const next = endpointsOf(after, this.family);
    for (const [address, endpoint] of endpointsOf(before, this.family)) {
      if (isSameClaim(endpoint, next.get(address))) continue;
      this.instances.delete(endpoint.instance.id);
      this.#places.delete(endpoint.place);
    }
  }

  #add(before: MappedSlice | undefined, after: MappedSlice | undefined): boolean {
    const known = endpointsOf(before, this.family);
    for (const [address, endpoint] of endpointsOf(after, this.family)) {
      const { instance, place } = endpoint;
      const isNew = !isSameClaim(endpoint, known.get(address));
      if (isNew && (this.instances.has(instance.id) || this.#places.has(place))) return false;
      this.instances.set(instance.id, instance);
      this.#places.add(place);
    }
    return true;
  }
}

type Endpoints = ReadonlyMap<string, MappedEndpoint>;

const none: Endpoints = new Map();

function endpointsOf(slice: MappedSlice | undefined, family: Family): Endpoints {
  return slice?.slice.addressType === family ? slice.endpoints : none;
}

function isSameClaim(one: MappedEndpoint, other: MappedEndpoint | undefined): boolean {
  return one.instance.id === other?.instance.id && one.place === other.place;
}
