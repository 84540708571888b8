import { ManualClock } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { LatencyMetric, type Endpoint, type LatencyMetricOptions } from '../src/index.ts';
import { instance } from './pools.ts';

function setUp(options: LatencyMetricOptions = {}) {
  const clock = new ManualClock();
  const metric = new LatencyMetric({ clock, ...options });
  const one = {
    id: 'a',
    instance: instance('a'),
    slot: 0,
    inFlight: 0,
    answering: 0,
    ejected: false,
    unreachable: false,
    slow: false,
    checked: 'unknown' as const,
    isolated: false,
    saturated: false,
    warmth: 1,
  };
  const other: Endpoint = { ...one, id: 'b', slot: 1 };
  metric.reset(one);
  metric.reset(other);
  const start = (): void => {
    one.inFlight += 1;
    metric.started(one);
  };
  const finish: (...args: [Parameters<LatencyMetric['finished']>[1], number]) => void = (
    outcome,
    latencyMs,
  ) => {
    one.inFlight -= 1;
    metric.finished(one, outcome, latencyMs);
  };
  const call: typeof finish = (...args) => {
    start();
    finish(...args);
  };
  /** Somebody else answers: the metric knows the time from events. */
  const tick = async (ms: number): Promise<void> => {
    await clock.advance(ms);
    metric.finished(other, 'ok', 1);
  };
  return { clock, metric, one, other, start, finish, call, tick, expected: () => metric.expected(one) };
}

describe('the latency that is expected', () => {
  it('is nothing of an endpoint that was never called, so that it is called next', () => {
    expect(setUp().expected()).toBe(0);
  });

  it('is 30 ms of one that was called and has not answered yet, or what was given', () => {
    for (const [options, expectedMs] of [
      [{}, 30],
      [{ initialMs: 5 }, 5],
    ] as const) {
      const { start, expected } = setUp(options);
      start();
      expect(expected()).toBe(expectedMs);
    }
  });

  it('jumps to a worse one at once', () => {
    const { call, expected } = setUp();
    call('ok', 400);
    expect(expected()).toBe(400);
  });

  it('comes down slowly: by about two thirds in the time constant', async () => {
    const { clock, call, expected } = setUp();
    call('ok', 400);
    await clock.advance(100);
    call('ok', 10);
    expect(expected()).toBeGreaterThan(390);
    await clock.advance(10_000);
    call('ok', 10);
    expect(expected()).toBeGreaterThan(0.3 * 400);
    expect(expected()).toBeLessThan(0.45 * 400);
  });

  it('comes down faster with a shorter time constant', async () => {
    const { clock, call, expected } = setUp({ decayMs: 100 });
    call('ok', 400);
    await clock.advance(1_000);
    call('ok', 10);
    expect(expected()).toBeLessThan(20);
  });

  it('fades without answers, so that an endpoint is tried again', async () => {
    const { call, tick, expected } = setUp();
    call('ok', 1_000);
    await tick(60_000);
    expect(expected()).toBeLessThan(50);
  });

  it.each(['error', 'overload', 'connect-failure', 'timeout'] as const)(
    'is a second after a fast %s, so that failing fast does not attract',
    (outcome) => {
      const { call, expected } = setUp();
      call(outcome, 1);
      expect(expected()).toBe(1_000);
    },
  );

  it.each([300, 2_000, 30_000])(
    'fades nearly as exp() says: a peak of %s ms is 10 ms again',
    async (peakMs) => {
      const { call, tick, expected } = setUp();
      call('ok', peakMs);
      await tick(10_000 * Math.log(peakMs / 10));
      expect(expected()).toBeLessThan(10 * 5);
      await tick(0.4 * 10_000 * Math.log(peakMs / 10));
      expect(expected()).toBeLessThan(10);
    },
  );

  it('is what a failure took, where that is more than its cost', () => {
    const { call, expected } = setUp({ failureMs: 200 });
    call('error', 5);
    expect(expected()).toBe(200);
    call('timeout', 3_000);
    expect(expected()).toBe(3_000);
  });

  it('is not touched by what was cancelled', () => {
    const { call, expected } = setUp();
    call('ok', 40);
    call('cancelled', 90_000);
    expect(expected()).toBe(40);
  });

  it('is at least as long as an endpoint with attempts in flight has been silent', async () => {
    const { start, finish, tick, expected } = setUp();
    start();
    await tick(500);
    start();
    expect(expected()).toBe(500);
    await tick(500);
    expect(expected()).toBe(1_000);
    finish('ok', 5);
    expect(expected()).toBeLessThan(31);
  });

  it('does not count silence of what was answered and goes on', async () => {
    const { one, call, start, tick, expected } = setUp();
    call('ok', 10);
    start();
    one.answering = 1;
    await tick(900);
    expect(expected()).toBeLessThan(10);
    start();
    await tick(900);
    expect(expected()).toBe(900);
  });

  it('does not count silence while nothing is asked', async () => {
    const { call, start, tick, expected } = setUp();
    call('ok', 10);
    await tick(5_000);
    expect(expected()).toBeLessThan(30);
    start();
    expect(expected()).toBeLessThan(30);
  });

  it('starts anew for another endpoint in the same slot', () => {
    const { metric, one, call } = setUp();
    call('ok', 5_000);
    const successor: Endpoint = { ...one, id: 'c' };
    metric.reset(successor);
    expect(metric.expected(successor)).toBe(0);
  });
});
