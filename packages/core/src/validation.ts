import * as v from 'valibot';
import { DiscoveryError } from './errors.ts';

/** One mistake in a configuration. */
export interface ConfigIssue {
  /** Where, as a dotted path: `port`, `tags.0`; empty for the whole value. */
  readonly field: string;
  /** What came, shortened and without credentials. */
  readonly received: string;
  readonly expected: string;
}

/** A value given by the user of `@sd/*` is wrong. Carries every mistake found, and the first one's parts at hand. */
export class ConfigValidationError extends DiscoveryError {
  readonly code = 'ERR_SD_CONFIG';
  readonly issues: readonly ConfigIssue[];
  readonly field: string;
  readonly received: string;
  readonly expected: string;

  /** @param what what was being configured, e.g. `ServiceRegistry` */
  constructor(
    what: string,
    issues: readonly [ConfigIssue, ...ConfigIssue[]],
    context?: { service?: string },
  ) {
    super(`${what}: ${issues.map(describeIssue).join('; ')}`, context);
    this.issues = issues;
    this.field = issues[0].field;
    this.received = issues[0].received;
    this.expected = issues[0].expected;
  }
}

/**
 * Checks `value` against a valibot schema whose messages each say what is expected (`'a port from 1 to 65535'`).
 * @throws {ConfigValidationError} naming every field that is wrong
 */
export function validate<S extends v.GenericSchema>(
  what: string,
  schema: S,
  value: unknown,
): v.InferOutput<S> {
  const result = v.safeParse(schema, value);
  if (result.success) return result.output;
  throw new ConfigValidationError(what, configIssues(result.issues));
}

export function configIssues(
  issues: readonly [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]],
): [ConfigIssue, ...ConfigIssue[]] {
  const [first, ...rest] = issues;
  return [configIssue(first), ...rest.map(configIssue)];
}

function configIssue(issue: v.BaseIssue<unknown>): ConfigIssue {
  const key = issue.path?.at(-1);
  const unknownOption = issue.type === 'strict_object' && issue.expected === 'never';
  return {
    field: v.getDotPath(issue) ?? '',
    received: unknownOption
      ? 'an unknown option'
      : describeValue(key === undefined ? issue.input : key.value),
    expected: unknownOption ? 'no such option' : issue.message,
  };
}

function describeIssue({ field, received, expected }: ConfigIssue): string {
  return `${field === '' ? 'the value' : `"${field}"`} is ${received}, expected ${expected}`;
}

/** A short, safe rendering of any value for messages: at most 80 characters, credentials in URLs masked. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'bigint' || typeof value === 'symbol' || typeof value === 'number')
    return String(value);
  const text = stringify(value).replace(/(\/\/[^/:@\s"]*):[^@\s"]*@/g, '$1:***@');
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function stringify(value: unknown): string {
  try {
    return JSON.stringify(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}
