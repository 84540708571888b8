import { ConfigValidationError, createInstance, ManualClock } from '@sd/core';
import { eventually } from '@sd/testkit';
import { describe, expect, it } from 'vitest';
import { httpCheck } from '../src/checks/http-check.ts';
import { tcpCheck } from '../src/checks/tcp-check.ts';
import type { HealthCheck } from '../src/health-check.ts';
import { HealthChecker } from '../src/health-checker.ts';
import { deadTarget, listenHttp, listenTcp } from './local-servers.ts';

const target = { host: '10.0.0.1', port: 8080 };

const rejectWith = (reason: unknown): Promise<never> => Promise.reject(reason);

describe('HealthChecker', () => {
  it('asks for /health and reports what it found, when, and how long that took', async () => {
    const server = await listenHttp((request, response) => {
      response.writeHead(request.url === '/health' ? 200 : 404).end();
    });
    const report = await new HealthChecker().check(server.target);
    expect(report).toMatchObject({ check: 'http /health', status: 'healthy', detail: 'answered 200' });
    expect(Math.abs(Date.now() - report.checkedAt)).toBeLessThan(10_000);
    expect(report.durationMs).toBeGreaterThan(0);
    const elsewhere = await new HealthChecker({ path: '/ready' }).check(server.target);
    expect(elsewhere).toMatchObject({ check: 'http /ready', status: 'unhealthy' });
  });

  it('measures with its clock', async () => {
    const clock = new ManualClock(1_000_000);
    const check: HealthCheck = {
      name: 'slow',
      check: () =>
        new Promise((resolve) => {
          clock.setTimer(() => resolve({ status: 'degraded', detail: 'slow' }), 250);
        }),
    };
    const looking = new HealthChecker({ check, clock }).check(target);
    await clock.advance(250);
    expect(await looking).toEqual({
      check: 'slow',
      status: 'degraded',
      detail: 'slow',
      durationMs: 250,
      checkedAt: 1_000_000,
    });
    expect(clock.pendingTimers).toBe(0);
  });

  it('takes a whole instance for a target', async () => {
    const server = await listenHttp((_request, response) => response.end());
    const instance = createInstance({ service: 'orders', ...server.target }, 0);
    expect(await new HealthChecker().check(instance)).toMatchObject({ status: 'healthy' });
  });

  it('is unhealthy when the target accepts and does not answer in time, and closes the connection', async () => {
    const clock = new ManualClock();
    const server = await listenTcp((socket) => socket.resume());
    const looking = new HealthChecker({ clock, timeoutMs: 500 }).check(server.target);
    await eventually(() => expect([...server.connections][0]?.bytesRead).toBeGreaterThan(0));
    await clock.advance(499);
    expect(server.connections.size).toBe(1);
    await clock.advance(1);
    const report = await looking;
    expect(report).toMatchObject({ status: 'unhealthy', detail: 'no answer within 500 ms', durationMs: 500 });
    expect(report).not.toHaveProperty('unreachable');
    await eventually(() => expect(server.connections.size).toBe(0));
  });

  it('is unhealthy in time when the body never ends', async () => {
    const clock = new ManualClock();
    const server = await listenHttp((_request, response) => void response.write('still'));
    const check = httpCheck({ expectedBody: 'UP' });
    const looking = new HealthChecker({ clock, check }).check(server.target);
    await eventually(() => expect([...server.connections][0]?.bytesWritten).toBeGreaterThan(0));
    await clock.advance(2_000);
    expect(await looking).toMatchObject({ status: 'unhealthy', detail: 'no answer within 2000 ms' });
    await eventually(() => expect(server.connections.size).toBe(0));
  });

  it('says that a target is unreachable', async () => {
    const report = await new HealthChecker({ check: tcpCheck() }).check(await deadTarget());
    expect(report).toMatchObject({ status: 'unhealthy', unreachable: true });
  });

  it('says that a target is unreachable whose connection did not open in time', async () => {
    const clock = new ManualClock();
    const looking = new HealthChecker({ clock, check: tcpCheck(), timeoutMs: 1 }).check({
      host: '192.0.2.1',
      port: 9,
    });
    await clock.advance(1);
    expect(await looking).toMatchObject({ status: 'unhealthy', unreachable: true });
  });

  it.each([
    ['throws', () => Promise.reject(new Error('boom')), 'boom'],
    ['throws what is no error', () => rejectWith('boom'), 'boom'],
    [
      'throws before it returns a promise',
      () => {
        throw new Error('boom');
      },
      'boom',
    ],
    ['returns nothing', () => undefined, 'the check returned missing'],
    [
      'returns what is no result',
      () => ({ status: 'well', detail: '' }),
      'the check returned {"status":"well","detail":""}',
    ],
  ])('is unhealthy when the check %s', async (_what, check, detail) => {
    const checker = new HealthChecker({ check: { name: 'mine', check } as HealthCheck });
    expect(await checker.check(target)).toMatchObject({ check: 'mine', status: 'unhealthy', detail });
  });

  it('shows a detail on one line of at most 200 characters', async () => {
    const detail = `\u001b[31mred\n${'x'.repeat(1_000_000)}`;
    const check: HealthCheck = { name: 'mine', check: async () => ({ status: 'healthy', detail }) };
    const report = await new HealthChecker({ check }).check(target);
    expect(report.detail).toMatch(/^\[31mred x{189}\.\.\.$/);
  });

  it('rejects with the reason as soon as the signal aborts, and tells the check', async () => {
    const stop = new AbortController();
    let told: AbortSignal | undefined;
    const check: HealthCheck = {
      name: 'hanging',
      check: (_target, { signal }) => {
        told = signal;
        return new Promise(() => undefined);
      },
    };
    const clock = new ManualClock();
    const looking = new HealthChecker({ check, clock }).check(target, { signal: stop.signal });
    const reason = new Error('enough');
    stop.abort(reason);
    await expect(looking).rejects.toBe(reason);
    expect(told?.reason).toBe(reason);
    expect(clock.pendingTimers).toBe(0);
    await expect(new HealthChecker({ check }).check(target, { signal: stop.signal })).rejects.toBe(reason);
  });

  it('tells the check that the look is over, so that it stops what it left running', async () => {
    let told: AbortSignal | undefined;
    const check: HealthCheck = {
      name: 'careless',
      check: async (_target, { signal }) => {
        told = signal;
        return { status: 'healthy', detail: '' };
      },
    };
    await new HealthChecker({ check }).check(target);
    expect(told?.aborted).toBe(true);
  });

  it.each([
    [{ port: 80 }, 'host'],
    [{ host: '', port: 80 }, 'host'],
    [{ host: 'a', port: 0 }, 'port'],
    [{ host: 'a', port: '80' }, 'port'],
    [{ host: 'a', port: 80, protocol: 1 }, 'protocol'],
    [null, ''],
  ])('refuses the target %o', async (wrong, field) => {
    const checking = new HealthChecker().check(wrong as typeof target);
    await expect(checking).rejects.toBeInstanceOf(ConfigValidationError);
    await expect(checking).rejects.toMatchObject({ field });
  });

  it.each([
    ['healthy', true],
    ['degraded', true],
    ['unhealthy', false],
  ] as const)('isHealthy() of a target that is %s is %s', async (status, expected) => {
    const check: HealthCheck = { name: 'mine', check: async () => ({ status, detail: '' }) };
    expect(await new HealthChecker({ check }).isHealthy(target)).toBe(expected);
  });
});
