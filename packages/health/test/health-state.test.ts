import type { InstanceStatus } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { HealthState } from '../src/health-state.ts';

describe('HealthState', () => {
  it('is unknown while nobody says anything', () => {
    const health = new HealthState();
    expect(health.status).toBe('unknown');
    expect(health.reasons).toEqual({});
    expect(health.describe()).toBe('unknown');
  });

  const ranking: readonly InstanceStatus[] = [
    'unknown',
    'healthy',
    'degraded',
    'unhealthy',
    'starting',
    'draining',
    'out-of-service',
  ];
  const writers = ['registry', 'active', 'passive', 'operator'] as const;
  const pairs = ranking.flatMap((worse, rank) =>
    ranking.slice(0, rank).map((better) => [worse, better] as const),
  );

  it.each(pairs)('takes %s for worse than %s, whoever says which', (worse, better) => {
    for (const one of writers) {
      for (const other of writers.filter((writer) => writer !== one)) {
        const health = new HealthState();
        health.report(one, worse);
        health.report(other, better);
        expect(health.status).toBe(worse);
      }
    }
  });

  it('leaves what others said when one changes its mind', () => {
    const health = new HealthState();
    health.report('registry', 'healthy');
    health.report('operator', 'out-of-service');

    health.report('active', 'unhealthy');
    health.report('active', 'healthy');

    expect(health.status).toBe('out-of-service');
    expect(health.reasons).toEqual({ registry: 'healthy', active: 'healthy', operator: 'out-of-service' });
  });

  it('shows what the others said meanwhile when one takes its word back', () => {
    const health = new HealthState();
    health.report('operator', 'draining');
    health.report('active', 'degraded');

    health.clear('operator');

    expect(health.status).toBe('degraded');
  });

  it('does not let a check that passes lift what is still seen failing', () => {
    const health = new HealthState();
    health.report('passive', 'unhealthy');
    health.report('active', 'healthy');
    expect(health.status).toBe('unhealthy');
  });

  it('takes unknown for saying nothing', () => {
    const health = new HealthState();
    health.report('active', 'unhealthy');
    health.report('active', 'unknown');
    expect(health.reasons).toEqual({});
    expect(health.status).toBe('unknown');
  });

  it('describes itself for people', () => {
    const health = new HealthState();
    health.report('active', 'unhealthy');
    health.report('registry', 'healthy');
    expect(health.describe()).toBe('unhealthy (registry: healthy, active: unhealthy)');
  });
});
