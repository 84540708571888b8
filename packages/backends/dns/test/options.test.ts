import { Resolver } from 'node:dns/promises';
import { describe, expect, it } from 'vitest';
import { ConfigValidationError } from '@sd/core';
import { DnsBackend } from '../src/index.ts';

/** For what only JavaScript lets through. */
function mistakesOf(options: object): ConfigValidationError['issues'] {
  try {
    Reflect.construct(DnsBackend, [{ name: '{service}.test', ...options }]);
  } catch (error) {
    if (error instanceof ConfigValidationError) return error.issues;
    throw error;
  }
  return [];
}

describe('options', () => {
  it.each([
    [{}],
    [{ name: (service: string) => service }],
    [{ type: 'A', port: 80 }],
    [{ servers: ['10.0.0.2', '10.0.0.2:8600', '::1', '[::1]:53', 'fe80::1%eth0'] }],
    [{ search: ['svc.cluster.local', 'internal.'], ndots: 5 }],
    [{ resolver: new Resolver() }],
  ])('are taken: %j', (options) => {
    expect(mistakesOf(options)).toEqual([]);
  });

  it.each([
    [{ name: 'orders.test' }, 'name'],
    [{ name: undefined }, 'name'],
    [{ type: 'a' }, 'type'],
    [{ type: 'A' }, 'port'],
    [{ port: 80 }, 'port'],
    [{ type: 'A', port: 70_000 }, 'port'],
    [{ type: 'A', port: 80, targets: 'names' }, 'targets'],
    [{ protocol: 'http:' }, 'protocol'],
    [{ family: 5 }, 'family'],
    [{ minIntervalMs: 0 }, 'minIntervalMs'],
    [{ minIntervalMs: 5_000, maxIntervalMs: 1_000 }, 'maxIntervalMs'],
    [{ minIntervalMs: 60_000 }, 'maxIntervalMs'],
    [{ misses: 0 }, 'misses'],
    [{ timeoutMs: '1s' }, 'timeoutMs'],
    [{ servers: [] }, 'servers'],
    [{ servers: ['dns.internal'] }, 'servers.0'],
    [{ servers: ['10.0.0.1', '10.0.0.1:99999'] }, 'servers.1'],
    [{ transport: 'tls' }, 'transport'],
    [{ search: ['a..b'] }, 'search.0'],
    [{ ndots: 16 }, 'ndots'],
    [{ resolver: {} }, 'resolver'],
    [{ resolver: new Resolver(), servers: ['10.0.0.1'] }, 'resolver'],
    [{ services: ['or/ders'] }, 'services.0'],
    [{ sevices: [] }, 'sevices'],
    [{ clock: {} }, 'clock'],
  ])('are refused with the field that is wrong: %j', (options, field) => {
    expect(mistakesOf(options).map((issue) => issue.field)).toEqual([field]);
  });
});
