import { ManualClock } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { allOf, anyOf, optional } from '../src/check-composition.ts';
import { functionCheck } from '../src/checks/function-check.ts';
import type { CheckResult, HealthCheck } from '../src/health-check.ts';
import { HealthChecker } from '../src/health-checker.ts';
import { unaborted } from './local-servers.ts';

const target = { host: '10.0.0.1', port: 8080 };
const look = (check: HealthCheck) => check.check(target, { signal: unaborted() });

const fixed = (
  name: string,
  status: CheckResult['status'],
  rest: Partial<CheckResult> = {},
): HealthCheck => ({
  name,
  check: async () => ({ status, detail: `is ${status}`, ...rest }),
});
const fine = fixed('fine', 'healthy');
const weak = fixed('weak', 'degraded');
const ill = fixed('ill', 'unhealthy');
const gone = fixed('gone', 'unhealthy', { unreachable: true });
const throwing = functionCheck('throwing', () => {
  throw new Error('boom');
});
/** Heeds no signal. */
const hanging: HealthCheck = { name: 'hanging', check: () => new Promise(() => undefined) };

describe('allOf()', () => {
  it.each([
    [[fine, fine], 'healthy'],
    [[fine, weak], 'degraded'],
    [[weak, ill, fine], 'unhealthy'],
    [[throwing, fine], 'unhealthy'],
  ] as const)('is as bad as the worst: %#', async (checks, status) => {
    expect(await look(allOf(checks))).toMatchObject({ status });
  });

  it('names those that are not healthy, the worst first', async () => {
    expect(await look(allOf([fine, weak, throwing]))).toEqual({
      status: 'unhealthy',
      detail: 'throwing unhealthy: boom; weak degraded: is degraded',
    });
    expect(await look(allOf([fine, fine]))).toEqual({ status: 'healthy', detail: '2 of 2 healthy' });
  });

  it('keeps its detail within 200 characters', async () => {
    const { detail } = await look(allOf(Array.from({ length: 50 }, () => ill)));
    expect(detail).toMatch(/^ill unhealthy: .*\.\.\.$/);
    expect(detail).toHaveLength(200);
  });

  it('has the names of its parts in its own', () => {
    expect(allOf([fine, anyOf([weak, optional(ill)])]).name).toBe(
      'all of (fine, any of (weak, optional ill))',
    );
  });

  it('runs its checks side by side', async () => {
    const begun: string[] = [];
    const waitForBoth = (name: string): HealthCheck =>
      functionCheck(name, async () => {
        begun.push(name);
        while (begun.length < 2) await new Promise((resolve) => setImmediate(resolve));
      });
    expect(await look(allOf([waitForBoth('a'), waitForBoth('b')]))).toMatchObject({ status: 'healthy' });
  });

  it('is unreachable when all of them are', async () => {
    expect(await look(allOf([gone, gone]))).toMatchObject({ unreachable: true });
    expect(await look(allOf([gone, optional(gone)]))).toMatchObject({ unreachable: true });
    expect(await look(allOf([gone, ill]))).not.toHaveProperty('unreachable');
    expect(await look(allOf([gone, fine]))).not.toHaveProperty('unreachable');
  });

  it('does not change when the list does that it was made of', async () => {
    const checks = [fine];
    const check = allOf(checks);
    checks.push(ill);
    expect(await look(check)).toMatchObject({ status: 'healthy' });
  });
});

describe('anyOf()', () => {
  it.each([
    [[ill, fine], 'healthy'],
    [[ill, weak, throwing], 'degraded'],
    [[ill, throwing], 'unhealthy'],
  ] as const)('is as good as the best: %#', async (checks, status) => {
    expect(await look(anyOf(checks))).toMatchObject({ status });
  });

  it('names those that are not healthy', async () => {
    expect((await look(anyOf([fine, ill]))).detail).toBe('ill unhealthy: is unhealthy');
  });
});

describe('optional()', () => {
  it.each([
    [fine, 'healthy', 'is healthy'],
    [weak, 'degraded', 'is degraded'],
    [ill, 'degraded', 'is unhealthy'],
    [throwing, 'degraded', 'boom'],
  ])('is never worse than degraded: %#', async (check, status, detail) => {
    expect(await look(optional(check))).toEqual({ status, detail });
  });

  it('makes a whole degraded, not unhealthy', async () => {
    expect(await look(allOf([fine, optional(allOf([ill, anyOf([ill])]))]))).toMatchObject({
      status: 'degraded',
    });
  });
});

describe('a composition whose time is up', () => {
  const startLook = async (check: HealthCheck) => {
    const clock = new ManualClock();
    const looking = new HealthChecker({ check, clock }).check(target);
    await clock.advance(2_000);
    return looking;
  };

  it('still says what the others found, and which one did not answer', async () => {
    expect(await startLook(allOf([weak, hanging]))).toMatchObject({
      status: 'unhealthy',
      detail: 'hanging unhealthy: no answer within 2000 ms; weak degraded: is degraded',
      durationMs: 2_000,
    });
    expect(await startLook(anyOf([fine, hanging]))).toMatchObject({ status: 'healthy' });
  });

  it('is degraded when only an optional one did not answer, however deep', async () => {
    expect(await startLook(allOf([fine, allOf([optional(hanging)])]))).toMatchObject({ status: 'degraded' });
  });

  it('says nothing of reachability when only an optional part was unreachable', async () => {
    const report = await new HealthChecker({ check: optional(gone) }).check(target);
    expect(report).toMatchObject({ status: 'degraded' });
    expect(report).not.toHaveProperty('unreachable');
  });
});
