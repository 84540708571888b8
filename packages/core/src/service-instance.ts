import * as v from 'valibot';
import { defaultId, serviceName, strictInit, type InstanceFields } from './instance-fields.ts';
import type { InstanceStatus } from './instance-status.ts';
import { ConfigValidationError, validate } from './validation.ts';

/** One running copy of a service, as published. Immutable; fields that a newer version added are kept as they came. */
export interface ServiceInstance {
  /** Letters, digits, `.`, `_` and `-`, at most 128 characters. */
  readonly service: string;
  /**
   * Unique in the service and stable over restarts of the same process identity.
   * Letters, digits, `.`, `_`, `-`, `:` and `@`, at most 256 characters.
   */
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
  const fields = validate('Service instance', strictInit, init);
  // Such keys are passed over where objects are copied.
  const key = reservedKeys.find((each) => Object.hasOwn(init.metadata ?? {}, each));
  if (key !== undefined) {
    const received = 'a key that means something to JavaScript';
    throw new ConfigValidationError('Service instance', [
      { field: `metadata.${key}`, received, expected: 'another key' },
    ]);
  }
  return completeInstance(fields, now);
}

const reservedKeys = ['__proto__', 'prototype', 'constructor'];

/** Service names become keys, paths and host names in stores: what could mean something there is refused. */
export function validateServiceName(service: unknown): string {
  return validate('Service name', v.object({ service: serviceName }), { service }).service;
}

/** Whether a service can have this name: what `validateServiceName` lets pass. */
export function isServiceName(name: string): boolean {
  return v.is(serviceName, name);
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

/** Fills in what `fields` leave out. @param now milliseconds since the epoch */
export function completeInstance(fields: InstanceFields, now: number): ServiceInstance {
  const {
    service,
    id = defaultId(fields),
    host,
    port,
    protocol = 'http',
    version,
    region,
    zone,
    weight = 1,
    priority = 0,
    tags = [],
    metadata,
    status = 'healthy',
    registeredAt = now,
    updatedAt = registeredAt,
    ...unknown
  } = fields;
  // What all have comes first and is written out: spread first, V8 would give each instance a hidden class of its own,
  // and every read of a field would cost 100 ns.
  return Object.freeze({
    service,
    id,
    host,
    port,
    protocol,
    weight,
    priority,
    tags: Object.freeze([...tags]),
    metadata: Object.freeze({ ...metadata }),
    status,
    registeredAt,
    updatedAt,
    ...(version === undefined ? {} : { version }),
    ...(region === undefined ? {} : { region }),
    ...(zone === undefined ? {} : { zone }),
    ...unknown,
  });
}
