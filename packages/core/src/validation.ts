import * as v from 'valibot';
import { DiscoveryError } from './errors.ts';
import { entriesAt, messageOf } from './schema-entries.ts';

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
  static readonly code = 'ERR_SD_CONFIG';
  readonly code = ConfigValidationError.code;
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
  throw new ConfigValidationError(what, configIssues(result.issues, schema));
}

/** @param schema that found them, which knows what there is instead */
export function configIssues(
  issues: readonly [v.BaseIssue<unknown>, ...v.BaseIssue<unknown>[]],
  schema: v.GenericSchema,
): [ConfigIssue, ...ConfigIssue[]] {
  const [first, ...rest] = issues;
  const [issue, ...others] = issuesOf(first, schema);
  return [issue, ...others, ...rest.flatMap((each) => issuesOf(each, schema))];
}

function issuesOf(issue: v.BaseIssue<unknown>, schema: v.GenericSchema): [ConfigIssue, ...ConfigIssue[]] {
  const { path } = issue;
  const at = path?.at(-1);
  if (path === undefined || at === undefined || issue.type !== 'strict_object' || at.origin !== 'key')
    return [configIssue(issue)];
  const field = fieldOf(v.getDotPath(issue));
  const entries = entriesAt(
    schema,
    path.slice(0, -1).map(({ key }) => key),
  );
  if (issue.expected !== 'never')
    return [{ field, received: 'missing', expected: messageOf(entries.get(String(at.key))) ?? 'a value' }];
  // The schema stops at the first one.
  const others = Object.keys(at.input as object).filter((key) => key !== at.key);
  const parent = field.slice(0, field.length - fieldOf(String(at.key)).length);
  const known = [...entries.keys()];
  const [first = { field, received: 'an unknown option', expected: 'no such option' }] = unknownOptions(
    [String(at.key)],
    known,
    parent,
  );
  return [first, ...unknownOptions(others, known, parent)];
}

/** Of the names of options, those that there are not, each with all that there are. @param prefix of them: `redis.` */
export function unknownOptions(
  names: readonly string[],
  known: readonly string[],
  prefix = '',
): readonly ConfigIssue[] {
  const expected = `one of ${known.map((name) => `"${name}"`).join(', ')}`;
  return names
    .filter((name) => !known.includes(name))
    .slice(0, mostUnknown)
    .map((name) => ({ field: prefix + fieldOf(name), received: 'an unknown option', expected }));
}

/** More of them than this is no typo. */
const mostUnknown = 10;

/** A path is made of keys, and those of a record in a store are anybody's text. */
const fieldOf = (path: string | null): string => shorten(JSON.stringify(path ?? '').slice(1, -1), 160);

function configIssue(issue: v.BaseIssue<unknown>): ConfigIssue {
  const at = issue.path?.at(-1);
  const field = fieldOf(v.getDotPath(issue));
  const input = at === undefined || at.origin === 'key' ? issue.input : at.value;
  const hidden = input !== undefined && isSecret(field);
  const received = isOfOtherCopy(issue, input)
    ? `a ${issue.expected} of another copy of its package (npm ls shows them)`
    : describeValue(input);
  return { field, received: hidden ? '***' : received, expected: issue.message };
}

/** It has the right name, and is refused all the same: npm installed several copies. */
function isOfOtherCopy({ type, expected }: v.BaseIssue<unknown>, input: unknown): boolean {
  return type === 'instance' && isObject(input) && expected !== '' && input.constructor?.name === expected;
}

const isObject = (value: unknown): value is { readonly constructor?: { readonly name?: unknown } } =>
  typeof value === 'object' && value !== null;

function describeIssue({ field, received, expected }: ConfigIssue): string {
  return `${field === '' ? 'the value' : `"${field}"`} is ${received}, expected ${expected}`;
}

/** A short, safe rendering of any value for messages: at most 80 characters, credentials masked. Never throws. */
export function describeValue(value: unknown): string {
  if (value === undefined) return 'missing';
  if (typeof value === 'function') return 'a function';
  return shorten(asText(value), 80);
}

function asText(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'symbol')
    return String(value);
  try {
    const json: unknown = JSON.stringify(value, withoutCredentials);
    if (typeof json === 'string') return json;
  } catch {
    // circular, too deep, or it throws when it is read
  }
  return 'an object';
}

function withoutCredentials(key: string, value: unknown): unknown {
  if (isSecret(key)) return '***';
  if (typeof value === 'function') return 'a function';
  return typeof value === 'string' ? maskUserInfo(value) : value;
}

const isSecret = (name: string): boolean =>
  /passw|passphrase|secret|token|credential|authorization|api.?key|private.?key|\btls\.(key|cert)$/i.test(
    name,
  );

/** From the first `//` to the last `@`: a password may itself contain any character of a URL. */
function maskUserInfo(text: string): string {
  const start = text.indexOf('//');
  const end = text.lastIndexOf('@');
  return start === -1 || end < start ? text : `${text.slice(0, start)}//***${text.slice(end)}`;
}

const shorten = (text: string, maxLength: number): string =>
  text.length > maxLength ? `${text.slice(0, maxLength - 3)}...` : text;
