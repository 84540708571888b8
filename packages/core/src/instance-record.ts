import * as v from 'valibot';
import { looseInit } from './instance-fields.ts';
import { completeInstance, type ServiceInstance } from './service-instance.ts';
import { configIssues, ConfigValidationError, describeValue } from './validation.ts';

/** Longest record that is read at all, in UTF-16 code units. */
export const maxRecordLength = 65_536;

/** A record from a store, read: an instance, or the reason why it is none. */
export type ParsedRecord =
  | { readonly instance: ServiceInstance; readonly problem?: never }
  | { readonly instance?: never; readonly problem: string };

/**
 * The text under which an instance is stored.
 * @throws {ConfigValidationError} when consumers would refuse the record for its length
 */
export function encodeInstance(instance: ServiceInstance): string {
  const json = JSON.stringify(instance);
  if (json.length <= maxRecordLength) return json;
  const received = `an instance of ${json.length} characters`;
  const expected = `at most ${maxRecordLength} characters as JSON`;
  throw new ConfigValidationError('Service instance', [{ field: '', received, expected }], {
    service: instance.service,
  });
}

/**
 * Reads what a store holds: JSON text, or an object that could be JSON, from anybody. Never throws.
 * Sizes are bounded, `__proto__` and its like are dropped at every level, unknown fields are kept.
 * @param expected what the place of the record says already; a record that contradicts it is malformed
 */
export function parseInstance(
  record: unknown,
  expected: { readonly service: string; readonly id?: string },
): ParsedRecord {
  // As text, an object has a size, no getters, and nothing in it that could change later.
  const text = typeof record === 'object' ? toJson(record) : record;
  if (typeof text !== 'string') {
    return {
      problem: `the record is ${describeValue(record)}, expected JSON or what can be written as JSON`,
    };
  }
  if (text.length > maxRecordLength) {
    return { problem: `the record is ${text.length} characters long, at most ${maxRecordLength} are read` };
  }
  const result = v.safeParse(looseInit, parseJson(text), { abortEarly: true });
  if (!result.success) {
    const [{ field, received, expected: wanted }] = configIssues(result.issues, looseInit);
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

/** Nothing for what contains itself, is nested without end, or throws when it is read. */
function toJson(value: object | null): unknown {
  try {
    return JSON.stringify(value);
  } catch {
    return undefined;
  }
}
