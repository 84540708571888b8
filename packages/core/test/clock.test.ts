import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { systemClock } from '../src/index.ts';

describe('systemClock', () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it('tells the time since the epoch', () => {
    vi.setSystemTime(1_767_225_600_000);
    expect(systemClock.now()).toBe(1_767_225_600_000);
  });

  it('does not go back when the time of day does', () => {
    const before = systemClock.monotonic();
    vi.advanceTimersByTime(50);
    vi.setSystemTime(0);
    expect(systemClock.monotonic() - before).toBe(50);
  });

  it('calls back once, after the delay', () => {
    const callback = vi.fn();
    systemClock.setTimer(callback, 1_000);
    vi.advanceTimersByTime(999);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(10_000);
    expect(callback).toHaveBeenCalledOnce();
  });

  it('does not call back after cancel(), which may be called again', () => {
    const callback = vi.fn();
    const timer = systemClock.setTimer(callback, 1_000);
    timer.cancel();
    timer.cancel();
    vi.runAllTimers();
    expect(callback).not.toHaveBeenCalled();
  });

  it.each([2 ** 31, 5 * 2 ** 31])('waits for all of a delay of %d ms', (delayMs) => {
    const callback = vi.fn();
    systemClock.setTimer(callback, delayMs);
    vi.advanceTimersByTime(delayMs - 1);
    expect(callback).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(callback).toHaveBeenCalledOnce();
  });

  it('never calls back after an infinite delay, and still can be cancelled after a while', () => {
    const callback = vi.fn();
    const timer = systemClock.setTimer(callback, Infinity);
    vi.advanceTimersByTime(2 ** 33);
    timer.cancel();
    expect(callback).not.toHaveBeenCalled();
    expect(vi.getTimerCount()).toBe(0);
  });
});
