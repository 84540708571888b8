import { Range, SemVer } from 'semver';
import * as v from 'valibot';
import { instanceStatuses, type InstanceStatus } from './instance-status.ts';
import type { ServiceInstance } from './service-instance.ts';
import { validate } from './validation.ts';

/** Which instances are wanted. Everything that is given must hold; an empty filter lets all through. */
export interface ServiceFilter {
  readonly zone?: string | readonly string[] | undefined;
  readonly region?: string | readonly string[] | undefined;
  /** Where a service has instances of more than one, and the caller speaks one alone: `grpc`, `['http', 'https']`. */
  readonly protocol?: string | readonly string[] | undefined;
  /** The instance has all of these. */
  readonly tags?: readonly string[] | undefined;
  /** The instance has all of these entries, with exactly these values. */
  readonly metadata?: Readonly<Record<string, string>> | undefined;
  readonly status?: InstanceStatus | readonly InstanceStatus[] | undefined;
  /** Semver range as npm reads it, e.g. `^2.1.0`. Instances without a valid version are left out. */
  readonly version?: string | undefined;
  /** Whatever else; called once per instance and change, so it must depend on the instance alone. */
  readonly predicate?: InstancePredicate | undefined;
}

export type InstancePredicate = (instance: ServiceInstance) => boolean;

/** @throws {ConfigValidationError} when the filter is malformed, e.g. `version` is no semver range */
export function applyServiceFilter(
  instances: readonly ServiceInstance[],
  filter: ServiceFilter,
): readonly ServiceInstance[] {
  return instances.filter(compileServiceFilter(filter));
}

/**
 * Reads the filter once, for use on many instances.
 * @throws {ConfigValidationError} when the filter is malformed
 */
export function compileServiceFilter(filter: ServiceFilter): InstancePredicate {
  const { zone, region, protocol, tags, status, version, predicate } = validate(
    'Service filter',
    schema,
    filter,
  );
  // As it came: the schema passes over keys that mean something to JavaScript, and so would let through more than is wanted.
  const { metadata } = filter;
  const conditions: InstancePredicate[] = [];
  if (zone !== undefined) conditions.push(oneOf(zone, (instance) => instance.zone));
  if (region !== undefined) conditions.push(oneOf(region, (instance) => instance.region));
  if (protocol !== undefined) conditions.push(oneOf(protocol, (instance) => instance.protocol));
  if (status !== undefined) conditions.push(oneOf(status, (instance) => instance.status));
  if (tags !== undefined) conditions.push(({ tags: have }) => tags.every((tag) => have.includes(tag)));
  if (metadata !== undefined) {
    const wanted = Object.entries(metadata);
    conditions.push(({ metadata: have }) =>
      wanted.every(([key, value]) => Object.hasOwn(have, key) && have[key] === value),
    );
  }
  if (version !== undefined) conditions.push(inRange(new Range(version)));
  if (predicate !== undefined) conditions.push(predicate);
  return (instance) => conditions.every((holds) => holds(instance));
}

function oneOf(
  wanted: string | readonly string[],
  read: (instance: ServiceInstance) => string | undefined,
): InstancePredicate {
  const set = new Set(typeof wanted === 'string' ? [wanted] : wanted);
  return (instance) => {
    const value = read(instance);
    return value !== undefined && set.has(value);
  };
}

function inRange(range: Range): InstancePredicate {
  return ({ version }) => {
    const parsed = version === undefined ? undefined : parseVersion(version);
    return parsed !== undefined && range.test(parsed);
  };
}

function parseVersion(version: string): SemVer | undefined {
  try {
    return new SemVer(version);
  } catch {
    return undefined;
  }
}

function isRange(version: string): boolean {
  try {
    new Range(version);
    return true;
  } catch {
    return false;
  }
}

const oneOrMore = (expected: string) => v.optional(v.union([v.string(), v.array(v.string())], expected));
const statusText = `one or more of ${instanceStatuses.map((status) => `"${status}"`).join(', ')}`;
const status = v.picklist(instanceStatuses, statusText);
const rangeText = 'a semver range such as "^2.1.0"';
const isPredicate = (value: unknown): value is InstancePredicate => typeof value === 'function';

const schema = v.strictObject(
  {
    zone: oneOrMore('a zone or an array of zones'),
    region: oneOrMore('a region or an array of regions'),
    protocol: oneOrMore('a protocol or an array of protocols'),
    tags: v.optional(v.array(v.string('a tag'), 'an array of tags')),
    metadata: v.optional(v.record(v.string(), v.string('a string'), 'an object of strings')),
    status: v.optional(v.union([status, v.array(status, statusText)], statusText)),
    version: v.optional(v.pipe(v.string(rangeText), v.check(isRange, rangeText))),
    predicate: v.optional(v.custom<InstancePredicate>(isPredicate, 'a function (instance) => boolean')),
  },
  'an object',
);
