import { ConfigValidationError, describeValue, unknownOptions, type Clock, type ConfigIssue } from '@sd/core';

/** What is wrong with the connections through a proxy. What is absent is not wrong. */
export interface Faults {
  /** What each direction takes longer, in milliseconds. Order is kept; nothing else gets slower. */
  readonly latencyMs?: number | undefined;
  /** The bandwidth of each direction of each connection, in bytes per second. */
  readonly bytesPerSecond?: number | undefined;
  /**
   * Where nothing gets through, as if the route were gone: nobody is told, no connection is closed. What was sent is
   * held, up to 256 KiB and what TCP itself buffers, then senders block. The operating system still accepts
   * connections, but the target hears of them only after the hole, in whichever direction it is.
   */
  readonly blackHole?: 'both' | 'to-server' | 'to-client' | undefined;
  /** Whether new connections are refused: `ECONNREFUSED`. Those that exist are left alone. */
  readonly refuse?: boolean | undefined;
  /**
   * Resets each connection after so many bytes from the target, counted from when the fault is set. The client gets
   * these, no more, and 10 ms to read them.
   */
  readonly cutAfterBytes?: number | undefined;
}

/** The server behind a proxy. */
export interface FaultProxyTarget {
  readonly host: string;
  readonly port: number;
}

/** Where a proxy listens. */
export interface FaultProxyOptions {
  /** Default: 127.0.0.1. */
  readonly host?: string | undefined;
  /** Default: 0, any that is free. */
  readonly port?: number | undefined;
  /** What latency and bandwidth are measured with. Default: the system's. */
  readonly clock?: Clock | undefined;
}

/** @throws {ConfigValidationError} */
export function checkFaults(faults: Faults): void {
  check('Faults', faults, {
    latencyMs: optional('a number of milliseconds, 0 or more', (value) => isFinite(value) && value >= 0),
    bytesPerSecond: optional('a number above 0', (value) => isFinite(value) && value > 0),
    blackHole: optional(`'both', 'to-server' or 'to-client'`, (value) =>
      ['both', 'to-server', 'to-client'].some((direction) => direction === value),
    ),
    refuse: optional('true or false', (value) => typeof value === 'boolean'),
    cutAfterBytes: optional('a whole number, 0 or more', (value) => isInteger(value) && value >= 0),
  });
}

/** @throws {ConfigValidationError} */
export function checkListening(target: FaultProxyTarget, options: FaultProxyOptions): void {
  check('The target of FaultProxy', target, { host, port: port(1) });
  check('FaultProxy', options, {
    host: optional(host.expected, host.accepts),
    port: optional(port(0).expected, port(0).accepts),
    clock: optional('a Clock', (value) => typeof value === 'object' && value !== null && 'setTimer' in value),
  });
}

interface Rule {
  readonly expected: string;
  readonly accepts: (value: unknown) => boolean;
}

function check<T extends object>(what: string, value: T, rules: { readonly [K in keyof T]-?: Rule }): void {
  const [first, ...rest] = issuesOf(value, new Map<string, Rule>(Object.entries(rules)));
  if (first !== undefined) throw new ConfigValidationError(what, [first, ...rest]);
}

function issuesOf(value: unknown, rules: ReadonlyMap<string, Rule>): ConfigIssue[] {
  if (typeof value !== 'object' || value === null)
    return [{ field: '', received: describeValue(value), expected: 'an object' }];
  const given = new Map<string, unknown>(Object.entries(value));
  const wrong = [...rules].filter(([field, rule]) => !rule.accepts(given.get(field)));
  return [
    ...wrong.map(([field, { expected }]) => ({ field, received: describeValue(given.get(field)), expected })),
    ...unknownOptions([...given.keys()], [...rules.keys()]),
  ];
}

const host: Rule = { expected: 'a host', accepts: (value) => typeof value === 'string' && value !== '' };

const port = (least: number): Rule => ({
  expected: `a port from ${least} to 65535`,
  accepts: (value) => isInteger(value) && value >= least && value <= 65_535,
});

const optional = (expected: string, accepts: Rule['accepts']): Rule => ({
  expected,
  accepts: (value) => value === undefined || accepts(value),
});

const isFinite = (value: unknown): value is number => Number.isFinite(value);
const isInteger = (value: unknown): value is number => Number.isSafeInteger(value);
