import { keyOf, type EndpointSlice } from './endpoint-slice.ts';
import { isOlder } from './resource-version.ts';

/** The slices of a scope, as they were listed and have changed since, by the service that they belong to. */
export class SliceStore {
  readonly #slices = new Map<string, EndpointSlice>();
  readonly #services = new Map<string, Map<string, EndpointSlice>>();

  /** @param service as `serviceKey()` has it */
  slicesOf(service: string): ReadonlyMap<string, EndpointSlice> {
    return this.#services.get(service) ?? none;
  }

  /** Whether none of these is known: neither by its name nor as the object that it is. */
  knowsNoneOf(slices: readonly EndpointSlice[]): boolean {
    return (
      this.#slices.size > 0 && !slices.some((slice) => this.#slices.get(keyOf(slice))?.uid === slice.uid)
    );
  }

  /** Whether something is among these that was there by `version`, where nothing is known. */
  missed(slices: readonly EndpointSlice[], version: string): boolean {
    return this.#slices.size === 0 && slices.some((slice) => !isOlder(version, slice.version));
  }

  /** @returns the services that are concerned: two when it was given another label */
  put(slice: EndpointSlice): readonly string[] {
    const key = keyOf(slice);
    const service = serviceOf(slice);
    const before = this.#slices.get(key);
    const left = before !== undefined && serviceOf(before) !== service ? this.delete(key) : [];
    this.#slices.set(key, slice);
    let slices = this.#services.get(service);
    if (slices === undefined) this.#services.set(service, (slices = new Map<string, EndpointSlice>()));
    slices.set(key, slice);
    return [service, ...left];
  }

  /** @param key of the slice: `<namespace>/<name>` */
  delete(key: string): readonly string[] {
    const slice = this.#slices.get(key);
    if (slice === undefined) return [];
    this.#slices.delete(key);
    const service = serviceOf(slice);
    const slices = this.#services.get(service);
    slices?.delete(key);
    if (slices?.size === 0) this.#services.delete(service);
    return [service];
  }

  /** Takes these for all there are. @returns the services in which something is different */
  replace(slices: readonly EndpointSlice[]): ReadonlySet<string> {
    const keys = new Set(slices.map(keyOf));
    const gone = [...this.#slices.keys()].filter((key) => !keys.has(key));
    const changed = slices.filter((slice) => {
      const known = this.#slices.get(keyOf(slice));
      return known === undefined || known.version === '' || known.version !== slice.version;
    });
    return new Set([
      ...gone.flatMap((key) => this.delete(key)),
      ...changed.flatMap((slice) => this.put(slice)),
    ]);
  }
}

const none: ReadonlyMap<string, EndpointSlice> = new Map();

/** Neither a namespace nor a label has a slash. */
export const serviceKey = (namespace: string, service: string): string => `${namespace}/${service}`;

const serviceOf = ({ namespace, service }: EndpointSlice): string => serviceKey(namespace, service);
