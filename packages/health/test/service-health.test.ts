import { createInstance, type InstanceStatus } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { serviceHealth } from '../src/service-health.ts';

const of = (counts: Partial<Record<InstanceStatus, number>>): InstanceStatus[] =>
  Object.entries(counts).flatMap(([status, count]) =>
    Array<InstanceStatus>(count).fill(status as InstanceStatus),
  );

describe('serviceHealth()', () => {
  it.each([
    [{ healthy: 5 }, 'healthy', 1],
    [{ healthy: 4, unhealthy: 1 }, 'healthy', 0.8],
    [{ healthy: 79, unhealthy: 21 }, 'degraded', 0.79],
    [{ healthy: 1, unhealthy: 1 }, 'degraded', 0.5],
    [{ healthy: 49, unhealthy: 51 }, 'unhealthy', 0.49],
    [{ unhealthy: 3 }, 'unhealthy', 0],
  ] as const)('of %o is %s', (counts, status, healthyShare) => {
    expect(serviceHealth(of(counts))).toMatchObject({ status, healthyShare });
  });

  it.each([
    [
      'draining and out-of-service ones do not count',
      { healthy: 4, unhealthy: 1, draining: 5, 'out-of-service': 5 },
      0.8,
    ],
    ['a degraded one counts half', { healthy: 3, degraded: 2 }, 0.8],
    ['an unknown one counts as healthy', { healthy: 1, unknown: 3 }, 1],
    ['a starting one is not healthy yet', { healthy: 1, starting: 1 }, 0.5],
  ] as const)('%s', (_rule, counts, healthyShare) => {
    expect(serviceHealth(of(counts)).healthyShare).toBe(healthyShare);
  });

  it.each([
    [{}],
    [{ draining: 2, 'out-of-service': 1 }],
    [{ unknown: 3 }],
    [{ unknown: 1, draining: 1 }],
  ] as const)('of %o is unknown', (counts) => {
    expect(serviceHealth(of(counts)).status).toBe('unknown');
  });

  it('counts each status', () => {
    expect(serviceHealth(of({ healthy: 2, draining: 1, degraded: 3 })).counts).toEqual({
      starting: 0,
      healthy: 2,
      degraded: 3,
      unhealthy: 0,
      draining: 1,
      'out-of-service': 0,
      unknown: 0,
    });
  });

  it('takes instances as well as statuses', () => {
    const instance = createInstance({ service: 'orders', host: '10.0.0.1', port: 80, status: 'degraded' }, 0);
    expect(serviceHealth([instance, 'healthy'])).toMatchObject({ status: 'degraded', healthyShare: 0.75 });
  });

  it('takes other thresholds, even the same for both', () => {
    const half = of({ healthy: 1, unhealthy: 1 });
    expect(serviceHealth(half, { healthyFrom: 0.5 }).status).toBe('healthy');
    expect(serviceHealth(half, { degradedFrom: 0.6 }).status).toBe('unhealthy');
    expect(serviceHealth(of({ unhealthy: 1 }), { healthyFrom: 0, degradedFrom: 0 }).status).toBe('healthy');
  });
});
