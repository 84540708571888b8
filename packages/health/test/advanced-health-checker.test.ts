import { ClosedError, ManualClock, seededRng } from '@sd/core';
import { eventually, silentLogger } from '@sd/testkit';
import { describe, expect, it } from 'vitest';
import { AdvancedHealthChecker, type AdvancedHealthCheckerOptions } from '../src/advanced-health-checker.ts';
import type { CheckResult, CheckTarget, HealthCheck } from '../src/health-check.ts';
import type { TargetHealth } from '../src/watched-target.ts';
import { listenTcp } from './local-servers.ts';

const target = { host: '10.0.0.1', port: 8080 };
const intervalMs = 10_000;

/** Looks find what the script says, one after the other, and its last entry from then on. */
function start(script: readonly CheckResult['status'][], options: AdvancedHealthCheckerOptions = {}) {
  const clock = new ManualClock(0);
  const looks: CheckTarget[] = [];
  const check: HealthCheck = {
    name: 'scripted',
    check: async (to) => {
      const status = script[Math.min(looks.length, script.length - 1)] ?? 'healthy';
      looks.push(to);
      return { status, detail: `look ${looks.length}` };
    },
  };
  const checker = new AdvancedHealthChecker({
    check,
    clock,
    rng: seededRng(1),
    jitter: 0,
    logger: silentLogger,
    ...options,
  });
  return { clock, checker, looks };
}

/** Keeps the statuses that it hears. */
function listener() {
  const heard: TargetHealth[] = [];
  return {
    heard,
    statuses: () => heard.map(({ status }) => status),
    listen: (health: TargetHealth) => void heard.push(health),
  };
}

describe('AdvancedHealthChecker', () => {
  it('knows nothing before the first look, which comes within an interval and decides alone', async () => {
    for (const first of ['healthy', 'degraded', 'unhealthy'] as const) {
      const { clock, checker } = start([first]);
      const { statuses, listen } = listener();
      checker.watch(target, listen);
      expect(checker.healthOf(target)).toEqual({
        status: 'unknown',
        since: 0,
        report: undefined,
        history: [],
      });
      expect(statuses()).toEqual([]);
      await clock.advance(intervalMs - 1);
      expect(statuses()).toEqual([first]);
    }
  });

  it('tells each change of status once, and by thresholds', async () => {
    const { clock, checker, looks } = start([
      'healthy',
      ...(['unhealthy', 'unhealthy', 'unhealthy', 'unhealthy'] as const),
      ...(['degraded', 'degraded', 'healthy', 'healthy'] as const),
    ]);
    const { heard, statuses, listen } = listener();
    checker.watch(target, listen);
    await clock.advance(12 * intervalMs);
    expect(looks.length).toBe(12);
    expect(statuses()).toEqual(['healthy', 'unhealthy', 'degraded', 'healthy']);
    expect(heard.map(({ report }) => report?.detail)).toEqual(['look 1', 'look 4', 'look 7', 'look 9']);
    const [first] = heard;
    expect(heard.map(({ since }) => (since - (first?.since ?? 0)) / intervalMs)).toEqual([0, 3, 6, 8]);
  });

  it('takes its thresholds from the options', async () => {
    const { clock, checker } = start(['healthy', 'unhealthy', 'healthy'], {
      failureThreshold: 1,
      successThreshold: 1,
    });
    const { statuses, listen } = listener();
    checker.watch(target, listen);
    await clock.advance(5 * intervalMs);
    expect(statuses()).toEqual(['healthy', 'unhealthy', 'healthy']);
  });

  it('keeps the last reports, the newest last', async () => {
    const { clock, checker } = start(['healthy'], { history: 3 });
    checker.watch(target, () => undefined);
    await clock.advance(5 * intervalMs);
    const health = checker.healthOf(target);
    expect(health?.history.map(({ detail }) => detail)).toEqual(['look 3', 'look 4', 'look 5']);
    expect(health?.report).toBe(health?.history.at(-1));
    expect(health?.report).toMatchObject({ check: 'scripted', status: 'healthy', durationMs: 0 });
  });

  it('looks again at once, as often as it may, before a failure counts', async () => {
    const { clock, checker, looks } = start(['unhealthy', 'unhealthy', 'healthy'], { retries: 2 });
    const { statuses, listen } = listener();
    checker.watch(target, listen);
    await clock.advance(intervalMs);
    expect(looks.length).toBe(3);
    expect(statuses()).toEqual(['healthy']);
    expect(checker.healthOf(target)?.history.length).toBe(1);
  });

  it('counts a failure once that remains after all retries', async () => {
    const { clock, checker, looks } = start(['healthy', 'unhealthy'], { retries: 1 });
    const { statuses, listen } = listener();
    checker.watch(target, listen);
    await clock.advance(3 * intervalMs);
    expect([looks.length, statuses()]).toEqual([5, ['healthy']]);
    await clock.advance(intervalMs);
    expect([looks.length, statuses()]).toEqual([7, ['healthy', 'unhealthy']]);
  });

  it('looks once at a target that is watched twice, and tells the second watcher at once what is known', async () => {
    const { clock, checker, looks } = start(['healthy']);
    const [first, second] = [listener(), listener()];
    checker.watch(target, first.listen);
    await clock.advance(intervalMs);
    const stop = checker.watch({ ...target, protocol: 'http' }, second.listen);
    expect(second.statuses()).toEqual(['healthy']);
    await clock.advance(3 * intervalMs);
    expect(looks.length).toBe(4);
    expect([first.statuses(), second.statuses()]).toEqual([['healthy'], ['healthy']]);
    stop();
  });

  it('goes on until its last watcher has stopped, and then forgets the target', async () => {
    const { clock, checker, looks } = start(['healthy']);
    const { listen } = listener();
    const stops = [checker.watch(target, listen), checker.watch(target, listen)];
    await clock.advance(intervalMs);
    stops[0]?.();
    stops[0]?.(); // once more says nothing of the other
    await clock.advance(intervalMs);
    expect(looks.length).toBe(2);
    stops[1]?.();
    await clock.advance(5 * intervalMs);
    expect(looks.length).toBe(2);
    expect(checker.healthOf(target)).toBeUndefined();
    expect(clock.pendingTimers).toBe(0);
  });

  it('is not confused by a stop that comes after the target is watched anew', async () => {
    const { clock, checker, looks } = start(['healthy']);
    const stop = checker.watch(target, () => undefined);
    stop();
    checker.watch(target, () => undefined);
    stop();
    await clock.advance(intervalMs);
    expect(looks.length).toBe(1);
  });

  it.each([
    ['protocol', { ...target, protocol: 'https' }],
    ['host', { ...target, host: '10.0.0.2' }],
    ['port', { ...target, port: 8081 }],
  ])('looks separately at targets of another %s', async (_what, other) => {
    const { clock, checker, looks } = start(['healthy']);
    checker.watch(target, () => undefined);
    checker.watch(other, () => undefined);
    await clock.advance(intervalMs);
    expect(looks).toContainEqual({ protocol: 'http', ...target });
    expect(looks).toContainEqual({ protocol: 'http', ...other });
  });

  it('survives a listener that throws, tells the others, and reports it', async () => {
    const errors: unknown[] = [];
    const logger = { ...silentLogger, error: (message: string) => void errors.push(message) };
    const { clock, checker, looks } = start(['healthy'], { logger });
    const { statuses, listen } = listener();
    checker.watch(target, () => {
      throw new Error('boom');
    });
    checker.watch(target, listen);
    await clock.advance(2 * intervalMs);
    expect([statuses(), looks.length]).toEqual([['healthy'], 2]);
    expect(errors).toEqual(['A listener to the health of http://10.0.0.1:8080 failed']);
  });

  it('lets a listener stop itself, and others, while it is called', async () => {
    const { clock, checker } = start(['healthy']);
    const second = listener();
    const stops: (() => void)[] = [];
    stops.push(checker.watch(target, () => stops.forEach((stop) => stop())));
    stops.push(checker.watch(target, second.listen));
    await clock.advance(3 * intervalMs);
    expect(second.statuses()).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('counts a look that takes too long as unhealthy', async () => {
    const check: HealthCheck = { name: 'hanging', check: () => new Promise(() => undefined) };
    const { clock, checker } = start([], { check, timeoutMs: 500 });
    const { heard, listen } = listener();
    checker.watch(target, listen);
    await clock.advance(intervalMs + 500);
    expect(heard[0]).toMatchObject({ status: 'unhealthy', report: { detail: 'no answer within 500 ms' } });
  });

  it('has no more looks under way than it may', async () => {
    let running = 0;
    let most = 0;
    const clock = new ManualClock();
    const check: HealthCheck = {
      name: 'slow',
      check: async () => {
        running += 1;
        most = Math.max(most, running);
        await new Promise<void>((resolve) => clock.setTimer(resolve, 1_500));
        running -= 1;
        return { status: 'healthy', detail: '' };
      },
    };
    const { checker } = start([], { check, clock, maxConcurrent: 3 });
    const heard = listener();
    for (let port = 1; port <= 10; port += 1) checker.watch({ ...target, port }, heard.listen);
    await clock.advance(2 * intervalMs);
    expect(most).toBe(3);
    expect(heard.statuses()).toEqual(Array(10).fill('healthy'));
  });

  it('stops looks under way and all to come when it closes, and calls nobody any more', async () => {
    const server = await listenTcp((socket) => socket.resume());
    const clock = new ManualClock();
    const checker = new AdvancedHealthChecker({ clock, rng: () => 0.9, logger: silentLogger });
    const { statuses, listen } = listener();
    checker.watch(server.target, listen);
    await clock.advance(0.9 * intervalMs);
    await eventually(() => expect(server.connections.size).toBe(1));
    checker.close();
    checker.close();
    await eventually(() => expect(server.connections.size).toBe(0));
    await clock.advance(5 * intervalMs);
    expect(statuses()).toEqual([]);
    expect(server.accepted()).toBe(1);
    expect(clock.pendingTimers).toBe(0);
    expect(() => checker.watch(server.target, listen)).toThrow(ClosedError);
  });

  it('is closed at the end of its scope', async () => {
    const { clock, checker } = start(['healthy']);
    checker.watch(target, () => undefined);
    checker[Symbol.dispose]();
    expect(clock.pendingTimers).toBe(0);
  });

  it('refuses a target or a listener that is none', () => {
    const { checker } = start(['healthy']);
    expect(() => checker.watch({ ...target, port: 0 }, () => undefined)).toThrow(/"port" is 0/);
    expect(() => checker.watch(target, 1 as never)).toThrow(/"listener" is 1/);
    expect(() => checker.healthOf({ ...target, host: '' })).toThrow(/"host"/);
  });
});
