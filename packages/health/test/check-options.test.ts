import { ConfigValidationError } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { AdvancedHealthChecker } from '../src/advanced-health-checker.ts';
import { allOf, anyOf, optional } from '../src/check-composition.ts';
import { commandCheck } from '../src/checks/command-check.ts';
import { functionCheck } from '../src/checks/function-check.ts';
import { grpcCheck } from '../src/checks/grpc-check.ts';
import { httpCheck } from '../src/checks/http-check.ts';
import { tcpCheck } from '../src/checks/tcp-check.ts';
import { TtlCheck } from '../src/checks/ttl-check.ts';
import { HealthChecker } from '../src/health-checker.ts';
import { serviceHealth } from '../src/service-health.ts';

const notNumbers = [Number.NaN, Infinity, -Infinity, '1', null, {}];

/** What comes from JavaScript or from a file has no types. */
const given = (options: unknown): never => options as never;

function problemOf(make: () => unknown): unknown {
  try {
    make();
  } catch (error) {
    if (error instanceof ConfigValidationError) return error.field;
    throw error;
  }
  return 'none';
}

/** Each value of an option is refused, and the option is named. */
function refuses(
  make: (options: never) => unknown,
  wrong: Readonly<Record<string, readonly unknown[]>>,
): void {
  for (const [option, values] of Object.entries(wrong)) {
    it.each(values.map((value) => [value]))(`${option}: %o`, (value) => {
      const field = problemOf(() => make(given({ [option]: value })));
      expect(String(field).split('.')[0]).toBe(option);
    });
  }
  it('an option that does not exist', () => {
    expect(problemOf(() => make(given({ pahts: 1 })))).toBe('pahts');
  });
  it.each([['/health'], [3]])('%o in place of options', (options) => {
    expect(problemOf(() => make(given(options)))).toBe('');
  });
}

const ports = [0, -1, 1.5, 65_536, ...notNumbers];
const durations = [0, -1, 0.5, 86_400_001, ...notNumbers];
const paths = [
  '',
  'health',
  'http://a/health',
  '/he alth',
  '/a\r\nb',
  '/ä',
  '/a#b',
  1,
  null,
  `/${'x'.repeat(1_024)}`,
];
const check = tcpCheck();
const checks = [null, {}, { name: 'x' }, { check: () => undefined }, 'http'];

describe('httpCheck() refuses', () => {
  refuses((options) => httpCheck(options), {
    path: paths,
    method: ['get', '', 'CONNECT', 'GET /', 1, null],
    expectedStatus: [
      [],
      200,
      [99],
      [600],
      [[299, 200]],
      [[200]],
      [[200, 204, 206]],
      [[200, Number.NaN]],
      ['200'],
      [{}],
    ],
    degradedStatus: [[], ['429'], [Number.NaN]],
    expectedBody: ['', 1, null, {}],
    maxBodyBytes: [0, -1, 1.5, 2 ** 24 + 1, ...notNumbers],
    headers: [{ 'a b': 'x' }, { a: 'x\r\ny: z' }, { a: 1 }, 'x', null],
    port: ports,
    protocol: ['ftp', 'HTTP', 1, null],
    tls: [
      { ca: 1 },
      { ca: [1] },
      { rejectUnauthorized: 'no' },
      { servername: '' },
      { cipher: 'x' },
      { cert: 'none' },
      true,
    ],
  });

  it('HEAD with a body that is expected: there is none', () => {
    expect(problemOf(() => httpCheck({ method: 'HEAD', expectedBody: 'UP' }))).toBe('method');
  });
});

describe('tcpCheck() refuses', () => {
  refuses((options) => tcpCheck(options), { port: ports });
});

describe('grpcCheck() refuses', () => {
  refuses((options) => grpcCheck(options), {
    service: [1, null, 'x'.repeat(1_025)],
    port: ports,
    tls: ['yes', 1, null, { ca: 1 }, { key: 'none' }],
    authority: ['', 'a/b', 'a b', 1, null],
    metadata: [
      { Upper: 'x' },
      { ':path': 'x' },
      { 'grpc-status': '0' },
      { te: 'x' },
      { a: 'ä' },
      { a: 1 },
      'x',
      null,
    ],
  });
});

describe('TtlCheck refuses', () => {
  refuses((options) => new TtlCheck(options), {
    ttlMs: durations,
    name: ['', 1, null],
    clock: [{}, null, 1],
  });
});

describe('commandCheck() refuses', () => {
  const fitting = { argv: ['true'], enabled: true };
  const command = (options: object | null): unknown =>
    commandCheck(given(typeof options === 'object' ? { ...fitting, ...options } : options));
  refuses(command, {
    argv: [[], [''], 'true', [1], ['true', 1], ['true', 'a\0b'], null],
    enabled: [false, 'true', 1, null, undefined],
    env: [{ A: 1 }, { A: 'a\0b' }, 'x', null],
    cwd: [1, null, 'a\0b'],
  });

  it('to run a program unless that is said to be meant', () => {
    expect(() => commandCheck(given({ argv: ['true'] }))).toThrow(/"enabled" is missing/);
  });
});

describe('functionCheck() refuses', () => {
  it('a name or a function that is none', () => {
    expect(problemOf(() => functionCheck('', () => true))).toBe('name');
    expect(problemOf(() => functionCheck('x', given(1)))).toBe('fn');
  });
});

describe('allOf(), anyOf() and optional() refuse', () => {
  it.each(checks.map((each) => [each]))('%o in place of a check', (wrong) => {
    expect(problemOf(() => allOf([check, given(wrong)]))).toBe('checks.1');
    expect(problemOf(() => anyOf([given(wrong)]))).toBe('checks.0');
    expect(problemOf(() => optional(given(wrong)))).toBe('check');
  });

  it('no checks at all', () => {
    expect([problemOf(() => allOf([])), problemOf(() => anyOf([]))]).toEqual(['checks', 'checks']);
  });
});

describe('HealthChecker refuses', () => {
  refuses((options) => new HealthChecker(options), {
    timeoutMs: durations,
    path: paths,
    check: checks,
    clock: [{}, null],
  });

  it('a path beside a check', () => {
    expect(problemOf(() => new HealthChecker({ path: '/health', check }))).toBe('path');
  });
});

describe('AdvancedHealthChecker refuses', () => {
  const thresholds = [0, -1, 1.5, 101, ...notNumbers];
  refuses((options) => new AdvancedHealthChecker(options), {
    timeoutMs: durations,
    path: paths,
    check: checks,
    intervalMs: durations,
    retries: [-1, 1.5, 11, ...notNumbers],
    successThreshold: thresholds,
    failureThreshold: thresholds,
    jitter: [-0.1, 0.51, ...notNumbers],
    history: [0, -1, 1.5, 1_001, ...notNumbers],
    maxConcurrent: [0, -1, 1.5, 10_001, ...notNumbers],
    clock: [{}, null],
    rng: [1, null],
    logger: [{}, null],
  });

  it('a path beside a check', () => {
    expect(problemOf(() => new AdvancedHealthChecker({ path: '/health', check }))).toBe('path');
  });
});

describe('serviceHealth() refuses', () => {
  refuses((options) => serviceHealth([], options), {
    healthyFrom: [-0.1, 1.1, ...notNumbers],
    degradedFrom: [-0.1, 1.1, 0.9, ...notNumbers],
  });

  it('a share for healthy below that for degraded', () => {
    expect(problemOf(() => serviceHealth([], { healthyFrom: 0.4 }))).toBe('degradedFrom');
  });

  it.each([['well'], [{ status: 'well' }], [null], [1]])('%o in place of a status', (wrong) => {
    expect(problemOf(() => serviceHealth([given(wrong)]))).toMatch(/^instances/);
  });
});
