import {
  ConfigValidationError,
  createInstance,
  describeValue,
  parseInstance,
  sameInstance,
  validateServiceName,
  type ConfigIssue,
  type MalformedEntries,
  type ServiceInstance,
  type ServiceInstanceInit,
} from '@sd/core';
import { parseEndpointUrl } from './endpoint-url.ts';
import type { Path } from './services-file.ts';

/** The instances of each service, by its name. */
export type StaticServices = Readonly<Record<string, readonly StaticInstance[]>>;

/** A URL such as `http://10.0.0.1:8080`, or the fields of an instance. Time stamps that are not given are 0. */
export type StaticInstance = string | InstanceFields;

export type Snapshot = readonly ServiceInstance[];

/** By name; only services that have instances. */
export type Services = ReadonlyMap<string, Snapshot>;

type InstanceFields = Omit<ServiceInstanceInit, 'service'>;

/**
 * Reads services that are given in code.
 * @throws {ConfigValidationError} naming every mistake by its path: `services.orders.1.port`
 */
export function readGivenServices(given: StaticServices): Services {
  const issues: ConfigIssue[] = [];
  const services = readServices(given, new Map(), {
    read(fields, { service, key, path }) {
      try {
        // 0, not now: an entry that nobody touched says the same in every process and after every restart.
        const instance = createInstance({ service, ...fields }, 0);
        if (instance.service === service) return instance;
        this.reject(
          { service, key: `${key}.service`, path },
          describeValue(instance.service),
          `"${service}", or nothing`,
        );
      } catch (error) {
        if (!(error instanceof ConfigValidationError)) throw error;
        issues.push(...error.issues.map((issue) => ({ ...issue, field: `${key}.${issue.field}` })));
      }
      return undefined;
    },
    reject: ({ key }, received, expected) => void issues.push({ field: key, received, expected }),
  });
  const [first, ...rest] = issues;
  if (first !== undefined) throw new ConfigValidationError('StaticBackend', [first, ...rest]);
  return services;
}

/** What there is to read, and how the place of a mistake is told. */
export interface FoundServices {
  readonly services: object;
  /** @param path begins with `services` and the name of a service */
  readonly locate: (path: Path) => string;
}

/**
 * Reads the services of a file. A mistake costs its entry alone; a service that is no list stays as it was known.
 * @param known what was read before: an instance or a list that says the same stays the same object
 */
export function readFileServices(
  { services, locate }: FoundServices,
  known: Services,
  malformed: MalformedEntries,
): Services {
  const report = ({ service, key, path }: Place, problem: string, field: readonly string[] = []): void =>
    malformed.report({ service, key, problem: `${locate([...path, ...field])}: ${problem}` });
  return readServices(services, known, {
    read(fields, place) {
      const { service } = place;
      const { instance, problem } = parseInstance({ service, ...fields }, { service });
      if (instance === undefined) report(place, problem, fieldOf(problem));
      return instance;
    },
    reject: (place, received, expected) => report(place, `it is ${received}, expected ${expected}`),
  });
}

/** Of `"metadata.shard" is 3, expected …`; if it were worded otherwise, the place would be that of the whole entry. */
function fieldOf(problem: string): readonly string[] {
  return /^"([^"]+)" is /.exec(problem)?.[1]?.split('.') ?? [];
}

interface Place {
  readonly service: string;
  /** Path in the configuration: `services.orders.1`. */
  readonly key: string;
  readonly path: Path;
}

/** What becomes of an entry, and of one that cannot be read. */
interface Reader {
  /** Reports the problems of the fields itself, and returns undefined then. */
  read(fields: InstanceFields, place: Place): ServiceInstance | undefined;
  reject(place: Place, received: string, expected: string): void;
}

function readServices(found: object, known: Services, reader: Reader): Services {
  const services = new Map<string, Snapshot>();
  for (const [service, entries] of Object.entries<unknown>({ ...found })) {
    const place = { service, key: `services.${service}`, path: ['services', service] };
    const before = known.get(service) ?? [];
    const misnamed = nameProblem(service);
    let instances = before;
    if (misnamed !== undefined) reader.reject(place, describeValue(service), misnamed);
    else if (Array.isArray(entries)) instances = unchanged(before, readList(entries, place, reader));
    else reader.reject(place, describeValue(entries), 'an array of URLs or instances');
    if (instances.length > 0) services.set(service, instances);
  }
  return services;
}

function nameProblem(service: string): string | undefined {
  try {
    validateServiceName(service);
    return undefined;
  } catch (error) {
    if (error instanceof ConfigValidationError) return error.expected;
    throw error;
  }
}

function readList(entries: readonly unknown[], { service, key, path }: Place, reader: Reader): Snapshot {
  const byId = new Map<string, ServiceInstance>();
  for (const [index, entry] of entries.entries()) {
    const place = { service, key: `${key}.${index}`, path: [...path, index] };
    const instance = readEntry(entry, place, reader);
    if (instance === undefined) continue;
    if (byId.has(instance.id)) {
      reader.reject({ ...place, key: `${place.key}.id` }, describeValue(instance.id), 'an id of its own');
    } else byId.set(instance.id, instance);
  }
  return [...byId.values()];
}

function readEntry(entry: unknown, place: Place, reader: Reader): ServiceInstance | undefined {
  if (isFields(entry)) return reader.read(entry, place);
  if (typeof entry !== 'string') {
    reader.reject(place, describeValue(entry), 'a URL, or an object with host and port');
    return undefined;
  }
  const { endpoint, received, expected } = parseEndpointUrl(entry);
  if (endpoint !== undefined) return reader.read(endpoint, place);
  reader.reject(place, received, expected);
  return undefined;
}

/** Only looks whether there can be fields at all: a reader checks them. */
function isFields(entry: unknown): entry is InstanceFields {
  return typeof entry === 'object' && entry !== null && !Array.isArray(entry);
}

/** What has not changed stays the same object, so that it can be told by identity. Order is no change. */
function unchanged(before: Snapshot, after: Snapshot): Snapshot {
  const known = new Map(before.map((instance) => [instance.id, instance]));
  const merged = after.map((instance) => {
    const same = known.get(instance.id);
    return same !== undefined && sameInstance(same, instance) ? same : instance;
  });
  const changed =
    merged.length !== before.length || merged.some((instance) => known.get(instance.id) !== instance);
  return changed ? Object.freeze(merged) : before;
}
