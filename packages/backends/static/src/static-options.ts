import {
  ConfigValidationError,
  describeValue,
  unknownOptions,
  type Clock,
  type ConfigIssue,
  type DiscoveryLogger,
} from '@sd/core';
import type { ServicesFromEnvOptions } from './services-env.ts';
import type { StaticServices } from './services.ts';

export type StaticBackendOptions =
  StaticServicesOptions | StaticFileOptions | StaticFolderOptions | StaticEnvOptions;

/** Services that are given in code and stay as they are. */
export interface StaticServicesOptions extends Without<'file' | 'folder' | 'env'> {
  readonly services: StaticServices;
}

/** Services that are read from a file, and read again when it changes. */
export interface StaticFileOptions extends Without<'services' | 'folder' | 'env'>, FollowingOptions {
  /** Path of a JSON (`.json`) or YAML (any other ending) file, relative to the working directory. */
  readonly file: string;
}

/** Services that have a file each in a folder, as keys of a Kubernetes ConfigMap do, and are read again when it changes. */
export interface StaticFolderOptions extends Without<'services' | 'file' | 'env'>, FollowingOptions {
  /** Path of a folder with files such as `orders.yaml`, `orders.json` or `orders.txt`. Other names are let be. */
  readonly folder: string;
}

/** Services of environment variables, as `servicesFromEnv()` reads them. They stay as they are. */
export interface StaticEnvOptions extends Without<'services' | 'file' | 'folder'>, ServicesFromEnvOptions {
  /** Usually `process.env`. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

interface FollowingOptions {
  /** How often it is read even if the operating system reports no change, in milliseconds. Default: 5,000. */
  readonly pollMs?: number | undefined;
  readonly clock?: Clock | undefined;
  /** Where malformed entries and bad edits are reported. Default: the logger of `setLogger()`. */
  readonly logger?: DiscoveryLogger | undefined;
}

/** Each of these excludes the others. */
type Without<K extends string> = { readonly [Source in K]?: undefined };

/**
 * Checks everything but the services themselves.
 * @throws {ConfigValidationError} naming each wrong option
 */
export function validateOptions(options: StaticBackendOptions): void {
  const given = new Map(Object.entries<unknown>({ ...options }).filter(([, value]) => value !== undefined));
  const issues = [...given].flatMap(([field, value]): ConfigIssue[] => {
    const rule = rules.get(field);
    if (rule === undefined) return [...unknownOptions([field], [...rules.keys()])];
    return rule.fits(value) ? [] : [{ field, received: describeValue(value), expected: rule.expected }];
  });
  const [source, ...others] = sources.filter((each) => given.has(each));
  if (source === undefined || others.length > 0) {
    const received = source === undefined ? 'missing' : `given beside "${others.join('", "')}"`;
    issues.push({ field: source ?? 'services', received, expected: `one of "${sources.join('", "')}"` });
  }
  const [first, ...rest] = issues;
  if (first !== undefined) throw new ConfigValidationError('StaticBackend', [first, ...rest]);
}

const sources = ['services', 'file', 'folder', 'env'];

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
  ['file', { expected: 'a path', fits: isText }],
  ['folder', { expected: 'a path', fits: isText }],
  [
    'env',
    { expected: 'environment variables', fits: (value) => typeof value === 'object' && value !== null },
  ],
  ['suffix', { expected: 'how the names of variables end', fits: isText }],
  [
    'pollMs',
    { expected: 'milliseconds, more than 0', fits: (value) => Number.isFinite(value) && Number(value) > 0 },
  ],
  ['clock', { expected: 'a Clock', fits: (value) => has(value, ['now', 'monotonic', 'setTimer']) }],
  ['logger', { expected: 'a DiscoveryLogger', fits: (value) => has(value, ['info', 'warn', 'error']) }],
]);

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function has(value: unknown, methods: readonly string[]): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return methods.every((method) => typeof Reflect.get(value, method) === 'function');
}
