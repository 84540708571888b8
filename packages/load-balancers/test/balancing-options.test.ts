import { ConfigValidationError } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { checkBalancing, EndpointPool } from '../src/index.ts';

/** The mistakes that are found in options as plain JavaScript may give them. */
function mistakes(options: Readonly<Record<string, unknown>>): string {
  try {
    checkBalancing('EndpointPool', options);
  } catch (error) {
    if (error instanceof ConfigValidationError) return error.message;
    throw error;
  }
  return 'none';
}

describe('options of balancing', () => {
  it.each<[string, Readonly<Record<string, unknown>>]>([
    ['none', {}],
    ['undefined ones', { subset: undefined, slowStart: undefined, maxInFlight: undefined }],
    ['the least', { overprovisioning: 1, panicThreshold: 0, maxInFlight: 1, layers: [] }],
    ['a subset', { subset: { size: 1, client: 'c' } }],
    ['slow start', { slowStart: { windowMs: 1, requests: 0, aggression: 0.01, minimum: 0.001 } }],
    ['zones or not', { zoneAware: false }],
    ['zones', { zoneAware: { by: 'load', clientShare: 0 } }],
    [
      'a layer of a class',
      {
        layers: [
          new (class {
            name = 'own';
            apply() {}
          })(),
        ],
      },
    ],
  ])('are right: %s', (_what, options) => {
    expect(mistakes(options)).toBe('none');
  });

  it.each<[field: string, received: string, options: Readonly<Record<string, unknown>>, expected: string]>([
    ['overprovisioning', '0.9', { overprovisioning: 0.9 }, 'a number from 1 on'],
    ['overprovisioning', 'Infinity', { overprovisioning: Infinity }, 'a number from 1 on'],
    ['panicThreshold', '50', { panicThreshold: 50 }, 'a share from 0 to 1'],
    ['panicThreshold', 'NaN', { panicThreshold: Number.NaN }, 'a share from 0 to 1'],
    ['panicThreshold', '"0.5"', { panicThreshold: '0.5' }, 'a share from 0 to 1'],
    ['maxInFlight', '0', { maxInFlight: 0 }, 'a whole number above 0'],
    ['maxInFlight', '1.5', { maxInFlight: 1.5 }, 'a whole number above 0'],
    ['layers', '{}', { layers: {} }, 'a list of layers: name, apply()'],
    ['layers', '[', { layers: [{ apply: () => 0 }] }, 'a list of layers: name, apply()'],
    ['layers', 'a function', { layers: [function canary() {}] }, 'a list of layers: name, apply()'],
    ['layers', '', { layers: [{ name: 'x' }] }, 'a list of layers: name, apply()'],
    ['subset', '10', { subset: 10 }, 'an object'],
    ['subset', 'null', { subset: null }, 'an object'],
    ['subset.size', '0', { subset: { size: 0, client: 'c' } }, 'a whole number above 0'],
    ['subset.client', '""', { subset: { size: 3, client: '' } }, 'a name'],
    ['slowStart', 'true', { slowStart: true }, 'an object'],
    ['slowStart.windowMs', '0', { slowStart: { windowMs: 0 } }, 'milliseconds, at least 1'],
    ['slowStart.requests', '-1', { slowStart: { windowMs: 1, requests: -1 } }, 'a number from 0 on'],
    ['slowStart.aggression', '0', { slowStart: { windowMs: 1, aggression: 0 } }, 'a number from 0.01 to 100'],
    ['slowStart.minimum', '0', { slowStart: { windowMs: 1, minimum: 0 } }, 'a share from 0.001 to 1'],
    ['zoneAware', '"yes"', { zoneAware: 'yes' }, 'true, false or an object'],
    ['zoneAware', 'null', { zoneAware: null }, 'true, false or an object'],
    ['zoneAware.by', '"latency"', { zoneAware: { by: 'latency' } }, '"capacity" or "load"'],
    ['zoneAware.clientShare', '2', { zoneAware: { clientShare: 2 } }, 'a share from 0 to 1'],
  ])('are wrong where %s is %s', (field, received, options, expected) => {
    const message = mistakes(options);
    expect(message).toContain(`"${field}"`);
    expect(message).toContain(received);
    expect(message).toContain(expected);
  });

  it.each<[field: string, options: Readonly<Record<string, unknown>>]>([
    ['subset.size', { subset: { client: 'c' } }],
    ['subset.client', { subset: { size: 3 } }],
    ['slowStart.windowMs', { slowStart: {} }],
  ])('are wrong without %s', (field, options) => {
    expect(mistakes(options)).toContain(`"${field}"`);
  });

  it('are all named when several are wrong', () => {
    const message = mistakes({ overprovisioning: 0, panicThreshold: 2, subset: { size: 0, client: '' } });
    for (const field of ['overprovisioning', 'panicThreshold', 'subset.size', 'subset.client']) {
      expect(message).toContain(`"${field}"`);
    }
  });

  it('are refused by a pool before it has done anything', () => {
    expect(() => new EndpointPool({ service: 'orders', maxInFlight: -1 })).toThrow(ConfigValidationError);
  });

  it.each([null, undefined, 'orders', []])('are refused by a pool when they are %j', (options) => {
    // @ts-expect-error as plain JavaScript may call it
    const make = (): unknown => new EndpointPool(options);
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_SD_CONFIG', field: '' }));
  });
});

describe('an option that does not exist', () => {
  it.each([
    ['maxInflight', { maxInflight: 3 }],
    ['slowStart.agression', { slowStart: { windowMs: 10, agression: 2 } }],
    ['subset.count', { subset: { size: 1, client: 'c', count: 1 } }],
    ['zoneAware.clientshare', { zoneAware: { by: 'load', clientshare: 1 } }],
  ])('is named: %s', (field, options) => {
    // @ts-expect-error as plain JavaScript may call it
    const make = (): unknown => new EndpointPool({ service: 'orders', ...options });
    expect(make).toThrow(expect.objectContaining({ code: 'ERR_SD_CONFIG', field }));
  });
});
