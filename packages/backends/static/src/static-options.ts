import {
  ConfigValidationError,
  describeValue,
  type Clock,
  type ConfigIssue,
  type DiscoveryLogger,
} from '@sd/core';
import type { StaticServices } from './services.ts';

export type StaticBackendOptions = StaticServicesOptions | StaticFileOptions;

/** Services that are given in code and stay as they are. */
export interface StaticServicesOptions {
  readonly services: StaticServices;
  readonly file?: undefined;
}

/** Services that are read from a file, and read again when it changes. */
export interface StaticFileOptions {
  /** Path of a JSON (`.json`) or YAML (any other ending) file, relative to the working directory. */
  readonly file: string;
  readonly services?: undefined;
  /** How often the file is read even if the operating system reports no change, in milliseconds. Default: 5,000. */
  readonly pollMs?: number | undefined;
  readonly clock?: Clock | undefined;
  /** Where malformed entries and bad edits are reported. Default: the logger of `setLogger()`. */
  readonly logger?: DiscoveryLogger | undefined;
}

/**
 * Checks everything but the services themselves.
 * @throws {ConfigValidationError} naming each wrong option
 */
export function validateOptions(options: StaticBackendOptions): void {
  const given = new Map(Object.entries<unknown>({ ...options }).filter(([, value]) => value !== undefined));
  const issues = [...given].flatMap(([field, value]): ConfigIssue[] => {
    const rule = rules.get(field);
    if (rule === undefined) return [{ field, received: 'an unknown option', expected: 'no such option' }];
    return rule.fits(value) ? [] : [{ field, received: describeValue(value), expected: rule.expected }];
  });
  if (given.has('services') === given.has('file')) {
    const received = given.has('file') ? 'given beside "file"' : 'missing';
    issues.push({ field: 'services', received, expected: 'one of "services" and "file"' });
  }
  const [first, ...rest] = issues;
  if (first !== undefined) throw new ConfigValidationError('StaticBackend', [first, ...rest]);
}

interface Rule {
  readonly expected: string;
  fits(value: unknown): boolean;
}

const rules = new Map<string, Rule>([
  [
    'services',
    {
      expected: 'an object of service names, each with an array of instances',
      fits: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
    },
  ],
  ['file', { expected: 'a path', fits: (value) => typeof value === 'string' && value !== '' }],
  [
    'pollMs',
    { expected: 'milliseconds, more than 0', fits: (value) => Number.isFinite(value) && Number(value) > 0 },
  ],
  ['clock', { expected: 'a Clock', fits: (value) => has(value, ['now', 'monotonic', 'setTimer']) }],
  ['logger', { expected: 'a DiscoveryLogger', fits: (value) => has(value, ['info', 'warn', 'error']) }],
]);

function has(value: unknown, methods: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return methods.every((method) => typeof Reflect.get(value, method) === 'function');
}
