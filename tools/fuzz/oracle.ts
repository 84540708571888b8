import {
  createInstance,
  DiscoveryError,
  MalformedEntries,
  sameInstance,
  type ServiceInstance,
  type ServiceInstanceInit,
} from '@sd/core';
import { silentLogger } from '@sd/testkit';

/** What must always hold did not. */
export class BrokenRule extends Error {
  override name = 'BrokenRule';
}

export function holds(condition: boolean, rule: string): asserts condition {
  if (!condition) throw new BrokenRule(rule);
}

/** The result of `work`, or undefined where it threw what users are promised; anything else is a find. */
export function typed<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (isTyped(error)) return undefined;
    throw error;
  }
}

export async function typedLater<T>(work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (isTyped(error)) return undefined;
    throw error;
  }
}

/** Messages are for logs and people: bounded, however large the input is. */
function isTyped(error: unknown): error is DiscoveryError {
  if (!(error instanceof DiscoveryError)) return false;
  holds(/^ERR_SD_[A-Z_]+$/.test(error.code), `the code ${error.code} is none of ours`);
  return true;
}

export const newMalformed = (): MalformedEntries => new MalformedEntries(silentLogger);

/** What is kept of malformed entries has a size. */
export function reportIsBounded({ count, recent }: MalformedEntries): void {
  holds(count <= 1_000 && recent.length <= 20, 'more malformed entries are kept than promised');
  for (const { service, key, problem } of recent)
    holds(service.length <= 128 && key.length <= 256 && problem.length <= 1_000, 'a report without bounds');
}

/** Each is what `createInstance()` could have made, nobody can change it, and no two have one id. */
export function areInstances(instances: Iterable<ServiceInstance>, service: string): void {
  const ids = new Set<string>();
  for (const instance of instances) {
    holds(instance.service === service, `an instance of "${instance.service}" among those of "${service}"`);
    holds(!ids.has(instance.id), `the id "${instance.id}" is there twice`);
    ids.add(instance.id);
    const { tags, metadata } = instance;
    holds([instance, tags, metadata].every(Object.isFrozen), 'an instance that can be changed');
    holds(Object.getPrototypeOf(metadata) === Object.prototype, 'metadata with another prototype');
    const known = Object.fromEntries(fields.map((field) => [field, instance[field]]));
    // These are its fields: what is wrong with them is found here.
    const again = createInstance(known as unknown as ServiceInstanceInit, 0);
    const { ...own } = instance;
    holds(sameInstance({ ...own, ...again }, instance), 'an instance that would not be made so again');
  }
}

const fields = [
  'service',
  'id',
  'host',
  'port',
  'protocol',
  'version',
  'region',
  'zone',
  'weight',
  'priority',
  'tags',
  'metadata',
  'status',
  'registeredAt',
  'updatedAt',
] as const;

const prototypes = [Object.prototype, Array.prototype, Function.prototype, String.prototype];
const untouched = prototypes.map((prototype) => Reflect.ownKeys(prototype).length);

/** No input reaches what all objects share. */
export function nothingIsPolluted(): void {
  const now = prototypes.map((prototype) => Reflect.ownKeys(prototype).length);
  holds(
    now.every((count, index) => count === untouched[index]),
    'a prototype that all share was changed',
  );
  holds(Reflect.get({}, 'polluted') === undefined, 'every object is polluted');
}

export function parseJson(input: Buffer | string): unknown {
  try {
    return JSON.parse(input.toString());
  } catch {
    return undefined;
  }
}

/** Of an object, whatever it is. */
export function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

export const listOf = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? (value as readonly unknown[]) : [];

export const textOf = (value: unknown, otherwise = ''): string =>
  typeof value === 'string' ? value : otherwise;

/** A whole number from 0 on, whatever it is. */
export const numberOf = (value: unknown): number =>
  typeof value === 'number' && Number.isFinite(value) ? Math.abs(Math.trunc(value)) : 0;

/** `n` instances as a well-behaved provider publishes them. */
export function goodInstances(n: number, service = 'orders'): readonly ServiceInstance[] {
  return Array.from({ length: n }, (_, index) =>
    createInstance({ service, id: `good-${index}`, host: `10.9.9.${index + 1}`, port: 8080 }, 1_000),
  );
}

/** What others are like costs none of these. */
export function goodAreThere(found: Iterable<ServiceInstance>, good: readonly ServiceInstance[]): void {
  const byId = new Map(Array.from(found, (instance) => [instance.id, instance]));
  for (const instance of good) {
    const there = byId.get(instance.id);
    holds(there !== undefined, `the good instance "${instance.id}" is lost`);
    holds(sameInstance(there, instance), `the good instance "${instance.id}" is another`);
  }
}
