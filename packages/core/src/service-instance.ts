import * as v from 'valibot';
import { instanceStatuses, type InstanceStatus } from './instance-status.ts';
import { validate } from './validation.ts';

/** One running copy of a service, as published. Immutable; fields that a newer version added are kept as they came. */
export interface ServiceInstance {
  /** Letters, digits, `.`, `_` and `-`, at most 128 characters. */
  readonly service: string;
  /** Unique in the service and stable over restarts of the same process identity. */
  readonly id: string;
  /** Host name, IPv4 or IPv6 address (without brackets). */
  readonly host: string;
  readonly port: number;
  /** URL scheme without `:`, e.g. `http`, `https`, `grpc`. */
  readonly protocol: string;
  /** Semantic version of the software, if it has one. */
  readonly version?: string;
  readonly region?: string;
  readonly zone?: string;
  /** Share of traffic relative to its peers, 0 to 10,000. 0 takes requests only when all others are 0 too. */
  readonly weight: number;
  /** 0 is preferred; higher numbers stand by. */
  readonly priority: number;
  readonly tags: readonly string[];
  readonly metadata: Readonly<Record<string, string>>;
  readonly status: InstanceStatus;
  /** When this copy was first published, milliseconds since the epoch by its own clock. */
  readonly registeredAt: number;
  /** When its record last changed, milliseconds since the epoch by its own clock. */
  readonly updatedAt: number;
}

/** What must be said of an instance; the rest has defaults. */
export interface ServiceInstanceInit {
  readonly service: string;
  readonly host: string;
  readonly port: number;
  /** Default: `<service>-<host>-<port>`. */
  readonly id?: string | undefined;
  /** Default: `http`. */
  readonly protocol?: string | undefined;
  readonly version?: string | undefined;
  readonly region?: string | undefined;
  readonly zone?: string | undefined;
  /** Default: 1. */
  readonly weight?: number | undefined;
  /** Default: 0. */
  readonly priority?: number | undefined;
  readonly tags?: readonly string[] | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  /** Default: `healthy`. */
  readonly status?: InstanceStatus | undefined;
  /** Default: `now`. */
  readonly registeredAt?: number | undefined;
  /** Default: `registeredAt`. */
  readonly updatedAt?: number | undefined;
}

/**
 * @param now milliseconds since the epoch, for the time stamps that `init` does not give
 * @throws {ConfigValidationError} naming each wrong field
 */
export function createInstance(init: ServiceInstanceInit, now: number): ServiceInstance {
  return completeInstance(validate('Service instance', strictInit, init), now);
}

/** Service names become keys, paths and host names in stores: what could mean something there is refused. */
export function validateServiceName(service: unknown): string {
  return validate('Service name', serviceName, service);
}

/** Whether two records say the same. When it was written (`updatedAt`) is not part of what a record says. */
export function sameInstance(left: ServiceInstance, right: ServiceInstance): boolean {
  if (left === right) return true;
  const { updatedAt: _left, ...leftRest } = left;
  const { updatedAt: _right, ...rightRest } = right;
  return sameValue(leftRest, rightRest);
}

function sameValue(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  const leftEntries = Object.entries(left);
  const rightKeys = new Map(Object.entries(right));
  return (
    Array.isArray(left) === Array.isArray(right) &&
    leftEntries.length === rightKeys.size &&
    leftEntries.every(([key, value]) => rightKeys.has(key) && sameValue(value, rightKeys.get(key)))
  );
}

/** `host:port`, with brackets around an IPv6 address: as in a URL. */
export function addressOf({ host, port }: Pick<ServiceInstance, 'host' | 'port'>): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

const text = (maxLength: number, expected: string) =>
  v.pipe(
    v.string(expected),
    v.nonEmpty(expected),
    v.maxLength(maxLength, expected),
    // eslint-disable-next-line no-control-regex -- control characters are exactly what is refused
    v.regex(/^[^\u0000-\u001f\u007f]*$/, expected),
  );

const nameText =
  'a name of 1 to 128 letters, digits, ".", "_" or "-" that starts and ends with a letter or digit';
const serviceName = v.pipe(
  v.string(nameText),
  v.regex(/^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/, nameText),
);

const idText = 'an id of 1 to 256 letters, digits, ".", "_", "-", ":" or "@"';
const hostText = 'a host name, an IPv4 address, or an IPv6 address without brackets';
const portText = 'a whole number from 1 to 65535';
const protocolText = 'a URL scheme such as "http", without ":"';
const weightText = 'a number from 0 to 10000';
const priorityText = 'a whole number from 0 to 1000';
const timeText = 'milliseconds since the epoch';
const statusText = `one of ${instanceStatuses.map((status) => `"${status}"`).join(', ')}`;

const fields = {
  service: serviceName,
  id: v.optional(v.pipe(v.string(idText), v.regex(/^[A-Za-z0-9._:@-]{1,256}$/, idText))),
  host: v.pipe(
    v.string(hostText),
    v.regex(/^(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,253})|[0-9A-Fa-f:.]{2,45}(?:%[\w.-]{1,32})?)$/, hostText),
  ),
  port: v.pipe(
    v.number(portText),
    v.integer(portText),
    v.minValue(1, portText),
    v.maxValue(65_535, portText),
  ),
  protocol: v.optional(v.pipe(v.string(protocolText), v.regex(/^[a-z][a-z0-9+.-]{0,31}$/, protocolText))),
  version: v.optional(text(128, 'a version of 1 to 128 characters')),
  region: v.optional(text(128, 'a region of 1 to 128 characters')),
  zone: v.optional(text(128, 'a zone of 1 to 128 characters')),
  weight: v.optional(
    v.pipe(
      v.number(weightText),
      v.finite(weightText),
      v.minValue(0, weightText),
      v.maxValue(10_000, weightText),
    ),
  ),
  priority: v.optional(
    v.pipe(
      v.number(priorityText),
      v.integer(priorityText),
      v.minValue(0, priorityText),
      v.maxValue(1_000, priorityText),
    ),
  ),
  tags: v.optional(
    v.pipe(
      v.array(text(256, 'a tag of 1 to 256 characters'), 'an array of tags'),
      v.maxLength(64, 'at most 64 tags'),
    ),
  ),
  metadata: v.optional(
    v.pipe(
      v.record(
        v.pipe(v.string(), v.maxLength(128, 'keys of at most 128 characters')),
        v.pipe(v.string('a string'), v.maxLength(4_096, 'a string of at most 4096 characters')),
        'an object of strings',
      ),
      v.check((metadata) => Object.keys(metadata).length <= 128, 'at most 128 entries'),
    ),
  ),
  status: v.optional(v.picklist(instanceStatuses, statusText)),
  registeredAt: v.optional(v.pipe(v.number(timeText), v.finite(timeText))),
  updatedAt: v.optional(v.pipe(v.number(timeText), v.finite(timeText))),
};

const strictInit = v.strictObject(fields, 'an object with service, host and port');

/** For records from a store: what a newer version added is let through. */
export const looseInit = v.pipe(
  v.looseObject(fields, 'an object with service, host and port'),
  v.check((record) => Object.keys(record).length <= 64, 'at most 64 fields'),
  // Whatever compares or encodes records descends into unknown fields too.
  v.check((record) => isNestedAtMost(16, record), 'at most 16 levels of nesting'),
);

function isNestedAtMost(levels: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true;
  return levels > 0 && Object.values(value).every((part) => isNestedAtMost(levels - 1, part));
}

export function completeInstance(init: v.InferOutput<typeof strictInit>, now: number): ServiceInstance {
  const { version, region, zone, ...rest } = init;
  const registeredAt = init.registeredAt ?? now;
  return Object.freeze({
    ...rest,
    id: init.id ?? `${init.service}-${init.host.replaceAll('%', '@')}-${init.port}`,
    protocol: init.protocol ?? 'http',
    ...(version === undefined ? {} : { version }),
    ...(region === undefined ? {} : { region }),
    ...(zone === undefined ? {} : { zone }),
    weight: init.weight ?? 1,
    priority: init.priority ?? 0,
    tags: Object.freeze([...(init.tags ?? [])]),
    metadata: Object.freeze({ ...init.metadata }),
    status: init.status ?? 'healthy',
    registeredAt,
    updatedAt: init.updatedAt ?? registeredAt,
  });
}
