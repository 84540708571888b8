import { ConfigValidationError, ManualClock, resetLogger, seededRng, setLogger } from '@sd/core';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { CircuitBreaker } from '../src/circuit-breaker.ts';
import type { CircuitBreakerOptions } from '../src/circuit-breaker-options.ts';
import { CircuitOpenError } from '../src/circuit-open-error.ts';

function setUp(options: Partial<CircuitBreakerOptions> = {}) {
  const clock = new ManualClock();
  const breaker = new CircuitBreaker({ service: 'orders', clock, rng: () => 0.5, ...options });
  const calls = (verdict: 'succeeded' | 'failed' | 'cancelled', times = 1): void => {
    for (let time = 0; time < times; time += 1) breaker[verdict](breaker.tryEnter());
  };
  /** Opens it by failures alone. */
  const trip = (): void => calls('failed', 20);
  return { clock, breaker, calls, trip };
}

afterEach(resetLogger);

describe('a closed circuit', () => {
  it('opens when half of at least 20 calls failed', () => {
    const { breaker, calls } = setUp();
    calls('succeeded', 9);
    calls('failed', 10);
    expect(breaker.state).toEqual({ value: 'closed' });
    calls('failed');
    expect(breaker.state).toEqual({ value: 'open', openedAt: 0, until: 5_000 });
  });

  it('stays closed while fewer fail', () => {
    const { breaker, calls } = setUp();
    calls('succeeded', 21);
    calls('failed', 20);
    expect(breaker.state.value).toBe('closed');
  });

  it('forgets calls after 10 s', async () => {
    const { clock, breaker, calls } = setUp();
    calls('failed', 19);
    await clock.advance(10_000);
    calls('failed');
    expect(breaker.state.value).toBe('closed');
  });

  it('opens after failures in a row, if told so', () => {
    const { breaker, calls } = setUp({ consecutiveFailures: 3 });
    calls('failed', 2);
    calls('succeeded');
    calls('failed', 2);
    expect(breaker.state.value).toBe('closed');
    calls('failed');
    expect(breaker.state.value).toBe('open');
  });

  it('goes by failures in a row alone, if told so', () => {
    const { breaker, calls } = setUp({ failureRate: false, consecutiveFailures: 30 });
    calls('failed', 29);
    expect(breaker.state.value).toBe('closed');
  });

  it('does not count calls that were cancelled', () => {
    const { breaker, calls } = setUp({ consecutiveFailures: 5 });
    calls('failed', 4);
    calls('cancelled', 20);
    expect(breaker.state.value).toBe('closed');
    calls('failed');
    expect(breaker.state.value).toBe('open');
  });
});

describe('an open circuit', () => {
  it('lets nobody in before its time', async () => {
    const { clock, breaker, trip } = setUp();
    trip();
    await clock.advance(4_999);
    expect([breaker.canEnter, breaker.tryEnter(), breaker.retryAfterMs]).toEqual([false, 0, 1]);
  });

  it('is open for 5 s, +-20 %', () => {
    const rng = seededRng(1);
    const periods = Array.from({ length: 200 }, () => {
      const { breaker, trip } = setUp({ rng });
      trip();
      return breaker.retryAfterMs ?? 0;
    });
    expect(Math.min(...periods)).toBeGreaterThanOrEqual(4_000);
    expect(Math.min(...periods)).toBeLessThan(4_100);
    expect(Math.max(...periods)).toBeLessThanOrEqual(6_000);
    expect(Math.max(...periods)).toBeGreaterThan(5_900);
  });

  it('ignores how calls end that began before', async () => {
    const { clock, breaker, trip } = setUp({ probes: 1 });
    const early = breaker.tryEnter();
    trip();
    breaker.succeeded(early);
    expect(breaker.state.value).toBe('open');
    await clock.advance(5_000);
    const probe = breaker.tryEnter();
    breaker.succeeded(early);
    breaker.failed(early);
    breaker.cancelled(early);
    expect([breaker.state.value, breaker.canEnter]).toEqual(['half-open', false]);
    breaker.succeeded(probe);
    expect(breaker.state.value).toBe('closed');
  });
});

describe('a half-open circuit', () => {
  it('lets three calls in, and closes when all are well', async () => {
    const { clock, breaker, trip } = setUp();
    trip();
    await clock.advance(5_000);
    const entries = [1, 2, 3, 4].map(() => breaker.tryEnter());
    expect(entries.map((entry) => entry > 0)).toEqual([true, true, true, false]);
    for (const entry of entries.slice(0, 2)) breaker.succeeded(entry);
    expect(breaker.state.value).toBe('half-open');
    breaker.succeeded(entries[2] ?? 0);
    expect(breaker.state.value).toBe('closed');
  });

  it('opens again, for twice as long, when one fails, and for 60 s at most', async () => {
    const { clock, breaker, trip } = setUp();
    trip();
    for (const expectedMs of [10_000, 20_000, 40_000, 60_000, 60_000]) {
      await clock.advance(breaker.retryAfterMs ?? 0);
      breaker.failed(breaker.tryEnter());
      expect(breaker.retryAfterMs).toBe(expectedMs);
    }
  });

  it('lets another call in for one that was cancelled', async () => {
    const { clock, breaker, calls, trip } = setUp({ probes: 1 });
    trip();
    await clock.advance(5_000);
    calls('cancelled', 3);
    expect(breaker.state.value).toBe('half-open');
    calls('succeeded');
    expect(breaker.state.value).toBe('closed');
  });

  it('lets others in when the first ones never end', async () => {
    const { clock, breaker, trip } = setUp({ probes: 1 });
    trip();
    await clock.advance(5_000);
    const lost = breaker.tryEnter();
    expect([breaker.tryEnter(), breaker.retryAfterMs]).toEqual([0, 5_000]);
    await clock.advance(5_000);
    const probe = breaker.tryEnter();
    expect(probe).toBeGreaterThan(0);
    expect(lost).toBeGreaterThan(0);
    breaker.succeeded(probe);
    expect(breaker.state.value).toBe('closed');
  });

  it.each([
    ['closes', 'succeeded', 'closed'],
    ['opens', 'failed', 'open'],
  ] as const)('%s by calls that take longer than it was open', async (_, verdict, state) => {
    const { clock, breaker, trip } = setUp();
    trip();
    await clock.advance(5_000);
    const entries: number[] = [];
    for (let second = 0; second < 20; second += 1) {
      if (second > 0 && breaker.state.value !== 'half-open') break;
      entries.push(breaker.tryEnter());
      await clock.advance(1_000);
      const began = entries[second - 7] ?? 0; // each takes 8 s
      if (began > 0) breaker[verdict](began);
    }
    expect(breaker.state.value).toBe(state);
  });

  it('remembers nothing of the calls before, once it is closed', async () => {
    const { clock, breaker, calls, trip } = setUp();
    trip();
    await clock.advance(5_000);
    calls('succeeded', 3);
    calls('failed', 19);
    expect(breaker.state.value).toBe('closed');
  });

  it('counts failures in a row anew, once it is closed', async () => {
    const { clock, breaker, calls } = setUp({ consecutiveFailures: 3 });
    calls('failed', 3);
    await clock.advance(5_000);
    calls('succeeded', 3);
    calls('failed', 2);
    expect(breaker.state.value).toBe('closed');
  });

  it('needs no longer to be forgiven for having failed more often than it doubles', async () => {
    const { clock, breaker, calls, trip } = setUp({ maxOpenMs: 10_000 });
    trip();
    for (let time = 0; time < 10; time += 1) {
      await clock.advance(10_000);
      calls('failed');
    }
    await clock.advance(10_000);
    calls('succeeded', 3);
    await clock.advance(15_000); // 10 s and 5 s
    trip();
    expect(breaker.retryAfterMs).toBe(5_000);
  });

  it('forgives an opening when it was closed as long as it was open', async () => {
    const { clock, breaker, calls, trip } = setUp();
    trip();
    await clock.advance(5_000);
    calls('succeeded', 3);
    await clock.advance(5_000);
    trip();
    expect(breaker.retryAfterMs).toBe(5_000);
    await clock.advance(5_000);
    calls('succeeded', 3);
    await clock.advance(4_999);
    trip();
    expect(breaker.retryAfterMs).toBe(10_000);
  });
});

describe('an isolated circuit', () => {
  it('lets nobody in until it is released', async () => {
    const { clock, breaker, calls, trip } = setUp();
    trip();
    breaker.isolate();
    breaker.isolate();
    await clock.advance(1e9);
    calls('succeeded', 3);
    expect([breaker.state, breaker.canEnter, breaker.retryAfterMs]).toEqual([
      { value: 'isolated', since: 0 },
      false,
      undefined,
    ]);
    breaker.release();
    expect([breaker.state.value, breaker.canEnter]).toEqual(['closed', true]);
  });

  it('alone can be released', () => {
    const { breaker, trip } = setUp();
    trip();
    breaker.release();
    expect(breaker.state.value).toBe('open');
  });
});

describe('run', () => {
  it('gives what the work gives, or throws what it throws', async () => {
    const { breaker } = setUp();
    await expect(breaker.run(() => 7)).resolves.toBe(7);
    await expect(breaker.run(async () => 8)).resolves.toBe(8);
    const failure = new Error('broken');
    await expect(
      breaker.run(() => {
        throw failure;
      }),
    ).rejects.toBe(failure);
  });

  it('throws a CircuitOpenError, without calling, while the circuit is open', async () => {
    const { breaker, trip } = setUp();
    trip();
    const work = vi.fn();
    const error: unknown = await breaker.run(work).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(CircuitOpenError);
    expect(error).toMatchObject({ code: 'ERR_SD_CIRCUIT_OPEN', service: 'orders', retryAfterMs: 5_000 });
    expect(String(error)).toContain('Try again in 5000 ms');
    expect(work).not.toHaveBeenCalled();
  });

  it('says so when an operator keeps it open', async () => {
    const { breaker } = setUp();
    breaker.isolate();
    await expect(breaker.run(() => 1)).rejects.toMatchObject({
      retryAfterMs: undefined,
      message: 'The circuit of service "orders" is isolated until an operator releases it',
    });
  });

  it('counts what is thrown as failures, but for what isFailure says is none', async () => {
    const isFailure = (error: unknown): boolean => String(error) !== 'Error: not found';
    const { breaker } = setUp({ consecutiveFailures: 2, isFailure });
    const work = (error: string) =>
      breaker.run(() => Promise.reject(new Error(error))).catch(() => undefined);
    for (const error of ['broken', 'not found', 'broken', 'not found']) await work(error);
    expect(breaker.state.value).toBe('closed');
    await work('broken');
    await work('broken');
    expect(breaker.state.value).toBe('open');
  });

  it('counts it as a failure when isFailure throws', async () => {
    const isFailure = (): boolean => {
      throw new Error('mistake');
    };
    const { breaker } = setUp({ consecutiveFailures: 1, isFailure });
    await expect(breaker.run(() => Promise.reject(new Error('x')))).rejects.toThrow('mistake');
    expect(breaker.state.value).toBe('open');
  });

  it('ends when the signal aborts, which counts as nothing', async () => {
    const { breaker } = setUp({ consecutiveFailures: 1 });
    const controller = new AbortController();
    const running = breaker.run(() => new Promise(() => undefined), { signal: controller.signal });
    controller.abort(new Error('enough'));
    await expect(running).rejects.toThrow('enough');
    const work = vi.fn();
    await expect(breaker.run(work, { signal: controller.signal })).rejects.toThrow('enough');
    expect(work).not.toHaveBeenCalled();
    expect(breaker.state.value).toBe('closed');
  });
});

describe('a listener', () => {
  it('is told each state and the one before, until it stops listening', async () => {
    const { clock, breaker, calls, trip } = setUp({ probes: 1 });
    const heard: string[] = [];
    const stop = breaker.onStateChange((state, before) => heard.push(`${before.value} > ${state.value}`));
    trip();
    await clock.advance(5_000);
    expect(heard).toEqual(['closed > open']); // it has no timer
    calls('succeeded');
    breaker.isolate();
    stop();
    breaker.release();
    expect(heard.slice(1)).toEqual(['open > half-open', 'half-open > closed', 'closed > isolated']);
  });

  it('that isolates a circuit which lets one through lets nobody through', async () => {
    const { clock, breaker, trip } = setUp();
    trip();
    await clock.advance(5_000);
    breaker.onStateChange(({ value }) => value === 'half-open' && breaker.isolate());
    expect(breaker.tryEnter()).toBe(0);
    expect(breaker.state.value).toBe('isolated');
  });

  it('does no harm by throwing', () => {
    const error = vi.fn();
    setLogger({ debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error });
    const { breaker, trip } = setUp();
    const second = vi.fn();
    breaker.onStateChange(() => {
      throw new Error('mine');
    });
    breaker.onStateChange(second);
    trip();
    expect(breaker.state.value).toBe('open');
    expect(second).toHaveBeenCalledOnce();
    expect(error).toHaveBeenCalledOnce();
  });
});

describe('the options of a circuit breaker', () => {
  it.each([
    [{ failureRate: 0 }, 'failureRate'],
    [{ failureRate: 1.1 }, 'failureRate'],
    [{ minimumCalls: 0.5 }, 'minimumCalls'],
    [{ consecutiveFailures: 0 }, 'consecutiveFailures'],
    [{ openMs: Infinity }, 'openMs'],
    [{ openMs: 70_000 }, ''],
    [{ probes: -1 }, 'probes'],
    [{ clock: {} as never }, 'clock'],
    [{ isFailure: true as never }, 'isFailure'],
    [{ surprise: 1 } as never, 'surprise'],
  ])('are checked: %o', (options: Partial<CircuitBreakerOptions>, field) => {
    const make = () => new CircuitBreaker({ service: 'orders', ...options });
    expect(make).toThrow(ConfigValidationError);
    expect(make).toThrow(expect.objectContaining({ field }));
  });
});
