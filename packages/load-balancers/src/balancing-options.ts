import { ConfigValidationError, describeValue, unknownOptions, type ConfigIssue } from '@sd/core';
import type { Layer } from './layers/layer.ts';
import type { SlowStartOptions } from './layers/slow-start.ts';
import type { SubsetOptions } from './layers/subset.ts';

/** How the layers decide who is eligible, and at what weight. */
export interface BalancingOptions {
  /** Your own layers, in this order. Default: none. */
  readonly layers?: readonly Layer[] | undefined;
  /** Calls only some of a large fleet. Default: all. */
  readonly subset?: SubsetOptions | undefined;
  /** How many times its load a priority bears before the next one helps: at least 1. Default: 1.4. */
  readonly overprovisioning?: number | undefined;
  /**
   * When a smaller share than this is available, ejected ones are used too. 0 to 1; 0: only when there is nobody else.
   * Default: 0.5.
   */
  readonly panicThreshold?: number | undefined;
  /** Prefers the consumer's own zone, whatever the strategy. Default: only with the strategy `zone-aware`. */
  readonly zoneAware?: boolean | ZoneOptions | undefined;
  /** Lets new instances warm up. Default: they have their whole weight at once. */
  readonly slowStart?: SlowStartOptions | undefined;
  /** Attempts that one endpoint may have in flight, a whole number above 0. Default: any number. */
  readonly maxInFlight?: number | undefined;
}

export interface ZoneOptions {
  /**
   * How much the own zone bears: what its capacity says, or what latencies say that this consumer measures. `load`
   * starts from capacity and needs no `clientShare`. Default: `capacity`.
   */
  readonly by?: 'capacity' | 'load' | undefined;
  /** Share of all consumers' load that comes from the own zone, 0 to 1. Default: equal shares for all zones. */
  readonly clientShare?: number | undefined;
}

/** Names of the options in `BalancingOptions`. */
export const balancingOptions: readonly (keyof BalancingOptions)[] = [
  'layers',
  'subset',
  'overprovisioning',
  'panicThreshold',
  'zoneAware',
  'slowStart',
  'maxInFlight',
];

/** @throws {ConfigValidationError} naming each option that does not exist */
export function checkNames(owner: string, options: object, known: readonly string[], prefix = ''): void {
  const [first, ...rest] = unknownOptions(Object.keys(options), known, prefix);
  if (first !== undefined) throw new ConfigValidationError(owner, [first, ...rest]);
}

/**
 * @param prefix of the names of options in messages, e.g. `balancing.`
 * @throws {ConfigValidationError} naming each wrong option
 */
export function checkBalancing(owner: string, options: BalancingOptions, prefix = ''): void {
  if (!isObject<unknown>(options)) {
    const field = prefix.replace(/\.$/, '');
    throw new ConfigValidationError(owner, [
      { field, received: describeValue(options), expected: 'an object' },
    ]);
  }
  const { subset, slowStart, zoneAware } = options;
  if (isObject(subset)) checkNames(owner, subset, ['size', 'client'], `${prefix}subset.`);
  const slowStartOptions = ['windowMs', 'requests', 'aggression', 'minimum'];
  if (isObject(slowStart)) checkNames(owner, slowStart, slowStartOptions, `${prefix}slowStart.`);
  if (isObject(zoneAware)) checkNames(owner, zoneAware, ['by', 'clientShare'], `${prefix}zoneAware.`);
  const issues: ConfigIssue[] = [];
  const check = (
    field: string,
    received: unknown,
    isRight: (value: unknown) => boolean,
    expected: string,
  ): void => {
    if (received === undefined || isRight(received)) return;
    issues.push({ field: prefix + field, received: describeValue(received), expected });
  };
  const required = (
    field: string,
    received: unknown,
    isRight: (value: unknown) => boolean,
    expected: string,
  ): void => {
    if (received === undefined) issues.push({ field: prefix + field, received: 'undefined', expected });
    check(field, received, isRight, expected);
  };
  const number = (field: string, value: unknown, least: number, most: number, expected: string): void =>
    check(
      field,
      value,
      (given: unknown) => typeof given === 'number' && given >= least && given <= most,
      expected,
    );
  const share = 'a share from 0 to 1';

  number('overprovisioning', options.overprovisioning, 1, Number.MAX_VALUE, 'a number from 1 on');
  number('panicThreshold', options.panicThreshold, 0, 1, share);
  check('maxInFlight', options.maxInFlight, isCount, 'a whole number above 0');
  check('layers', options.layers, isListOfLayers, 'a list of layers: name, apply()');
  check('subset', options.subset, isObject, 'an object');
  check('slowStart', options.slowStart, isObject, 'an object');
  check(
    'zoneAware',
    options.zoneAware,
    (value: unknown) => typeof value === 'boolean' || isObject(value),
    'true, false or an object',
  );
  if (isObject(options.subset)) {
    required('subset.size', options.subset.size, isCount, 'a whole number above 0');
    required('subset.client', options.subset.client, isName, 'a name');
  }
  if (isObject(options.slowStart)) {
    const { windowMs, requests, aggression, minimum } = options.slowStart;
    required('slowStart.windowMs', windowMs, isWindow, 'milliseconds, at least 1');
    number('slowStart.requests', requests, 0, Number.MAX_VALUE, 'a number from 0 on');
    number('slowStart.aggression', aggression, 0.01, 100, 'a number from 0.01 to 100');
    number('slowStart.minimum', minimum, 0.001, 1, 'a share from 0.001 to 1');
  }
  if (isObject(options.zoneAware)) {
    const { by, clientShare } = options.zoneAware;
    const isWay = (value: unknown): boolean => value === 'capacity' || value === 'load';
    check('zoneAware.by', by, isWay, '"capacity" or "load"');
    number('zoneAware.clientShare', clientShare, 0, 1, share);
  }
  const [first, ...others] = issues;
  if (first !== undefined) throw new ConfigValidationError(owner, [first, ...others]);
}

function isObject<T>(value: T): value is T & object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isWindow(value: unknown): boolean {
  return typeof value === 'number' && value >= 1 && value < Infinity;
}

function isCount(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) > 0;
}

function isName(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function isListOfLayers(value: unknown): boolean {
  return (
    Array.isArray(value) &&
    value.every(
      // Every function has a name and an apply() too, a class that nobody made an instance of among them.
      (layer: unknown) =>
        isObject(layer) &&
        typeof Reflect.get(layer, 'apply') === 'function' &&
        isName(Reflect.get(layer, 'name')),
    )
  );
}
