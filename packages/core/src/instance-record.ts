import * as v from 'valibot';
import { completeInstance, looseInit, type ServiceInstance } from './service-instance.ts';
import { configIssues, describeValue } from './validation.ts';

/** Longest record that is read at all, in UTF-16 code units. */
export const maxRecordLength = 65_536;

/** A record from a store, read: an instance, or the reason why it is none. */
export type ParsedRecord =
  | { readonly instance: ServiceInstance; readonly problem?: never }
  | { readonly instance?: never; readonly problem: string };

/** The text under which an instance is stored. */
export function encodeInstance(instance: ServiceInstance): string {
  return JSON.stringify(instance);
}

/**
 * Reads what a store holds: JSON text or an object, from anybody. Never throws.
 * Sizes are bounded, `__proto__` and its like are dropped, unknown fields are kept.
 * @param expected what the place of the record says already; a record that contradicts it is malformed
 */
export function parseInstance(
  record: unknown,
  expected: { readonly service: string; readonly id?: string },
): ParsedRecord {
  if (typeof record === 'string' && record.length > maxRecordLength) {
    return { problem: `the record is ${record.length} characters long, at most ${maxRecordLength} are read` };
  }
  const value = typeof record === 'string' ? parseJson(record) : record;
  const result = v.safeParse(looseInit, value);
  if (!result.success) {
    const [{ field, received, expected: wanted }] = configIssues(result.issues);
    return { problem: `${field === '' ? 'the record' : `"${field}"`} is ${received}, expected ${wanted}` };
  }
  const instance = completeInstance(result.output, 0);
  if (instance.service !== expected.service)
    return contradiction('service', instance.service, expected.service);
  if (expected.id !== undefined && instance.id !== expected.id)
    return contradiction('id', instance.id, expected.id);
  return { instance };
}

function contradiction(field: string, received: string, expected: string): ParsedRecord {
  return {
    problem: `"${field}" is ${describeValue(received)}, expected ${describeValue(expected)} from its place`,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
