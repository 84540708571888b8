import type { ServiceInstance, WatchFeed } from '@sd/core';
import type { EndpointSlice } from './endpoint-slice.ts';
import type { MappedEndpoint, MappedSlice, MergedSlices, SliceMapping } from './slice-mapping.ts';

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
    return this.#plain?.putIn(changes) === true;
  }

  #merge(): ReadonlyMap<string, ServiceInstance> {
    const merged = this.#mapping.merge(this.#mapped.values());
    const byId = new Map(merged.instances.map((instance) => [instance.id, instance]));
    this.#plain = merged.isPlain
      ? new PlainService(this.#mapping, merged, byId, this.#mapped.values())
      : undefined;
    this.#instances = byId;
    return byId;
  }
}

/** Of slices of one rank, where no place and no id is claimed twice. */
class PlainService {
  readonly #mapping: SliceMapping;
  readonly #rank: number;
  readonly #instances: Map<string, ServiceInstance>;
  readonly #places = new Set<string>();

  constructor(
    mapping: SliceMapping,
    { rank }: MergedSlices,
    instances: Map<string, ServiceInstance>,
    slices: Iterable<MappedSlice>,
  ) {
    this.#mapping = mapping;
    this.#rank = rank;
    this.#instances = instances;
    for (const slice of slices)
      for (const { place } of this.#endpointsOf(slice).values()) this.#places.add(place);
  }

  /** @returns false when it is plain no longer, and of no use */
  putIn(changes: readonly SliceChange[]): boolean {
    if (changes.some(({ after }) => after !== undefined && this.#mapping.rank(after) < this.#rank))
      return false;
    // Everything that is gone first: what moved to another slice is no second claim.
    for (const { before, after } of changes) this.#takeOut(before, after);
    // When the last of its rank are gone, those of another one are served.
    return changes.every(({ before, after }) => this.#add(before, after)) && this.#instances.size > 0;
  }

  #takeOut(before: MappedSlice | undefined, after: MappedSlice | undefined): void {
    const next = this.#endpointsOf(after);
    for (const [address, endpoint] of this.#endpointsOf(before)) {
      if (isSameClaim(endpoint, next.get(address))) continue;
      this.#instances.delete(endpoint.instance.id);
      this.#places.delete(endpoint.place);
    }
  }

  #add(before: MappedSlice | undefined, after: MappedSlice | undefined): boolean {
    const known = this.#endpointsOf(before);
    for (const [address, endpoint] of this.#endpointsOf(after)) {
      const { instance, place } = endpoint;
      const isNew = !isSameClaim(endpoint, known.get(address));
      if (isNew && (this.#instances.has(instance.id) || this.#places.has(place))) return false;
      this.#instances.set(instance.id, instance);
      this.#places.add(place);
    }
    return true;
  }

  #endpointsOf(slice: MappedSlice | undefined): Endpoints {
    return slice !== undefined && this.#mapping.rank(slice) === this.#rank ? slice.endpoints : none;
  }
}

type Endpoints = ReadonlyMap<string, MappedEndpoint>;

const none: Endpoints = new Map();

function isSameClaim(one: MappedEndpoint, other: MappedEndpoint | undefined): boolean {
  return one.instance.id === other?.instance.id && one.place === other.place;
}
