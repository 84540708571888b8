import { getEventListeners, getMaxListeners } from 'node:events';
import { describe, expect, it, vi } from 'vitest';
import { abortable, ManualClock, onAbort, sleep } from '../src/index.ts';

const reason = new Error('enough');
const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

describe('sleep()', () => {
  it('resolves after the delay, and leaves nothing', async () => {
    const clock = new ManualClock();
    const { signal } = new AbortController();
    const awake = vi.fn();
    void sleep(clock, 100, { signal }).then(awake);
    await clock.advance(99);
    expect(awake).not.toHaveBeenCalled();
    await clock.advance(1);
    expect(awake).toHaveBeenCalledOnce();
    expect([clock.pendingTimers, listeners(signal)]).toEqual([0, 0]);
  });

  it('rejects with the reason as soon as the signal aborts, and leaves nothing', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const sleeping = sleep(clock, 100, { signal: stop.signal });
    stop.abort(reason);
    expect([clock.pendingTimers, listeners(stop.signal)]).toEqual([0, 0]);
    await expect(sleeping).rejects.toBe(reason);
  });

  it('does not begin when the signal has aborted before', async () => {
    const clock = new ManualClock();
    const signal = AbortSignal.abort(reason);
    await expect(sleep(clock, 0, { signal })).rejects.toBe(reason);
    expect([clock.pendingTimers, listeners(signal)]).toEqual([0, 0]);
  });

  it('stays resolved when the signal aborts afterwards', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    const sleeping = sleep(clock, 100, { signal: stop.signal });
    await clock.advance(100);
    stop.abort(reason);
    await expect(sleeping).resolves.toBeUndefined();
  });

  it('needs no signal, and is a background wait unless told otherwise', async () => {
    const clock = new ManualClock();
    const setTimer = vi.spyOn(clock, 'setTimer');
    const sleeping = Promise.all([sleep(clock, 1), sleep(clock, 2, { keepAlive: true })]);
    await clock.advance(2);
    await sleeping;
    expect(setTimer.mock.calls.map(([, delayMs, ...options]: unknown[]) => [delayMs, ...options])).toEqual([
      [1, { keepAlive: false }],
      [2, { keepAlive: true }],
    ]);
  });
});

describe('abortable()', () => {
  it('settles as the promise does, and leaves no listener', async () => {
    const { signal } = new AbortController();
    await expect(abortable(Promise.resolve(1), signal)).resolves.toBe(1);
    await expect(abortable(Promise.reject(reason), signal)).rejects.toBe(reason);
    expect(listeners(signal)).toBe(0);
  });

  it('listens while it waits', async () => {
    const { signal } = new AbortController();
    void abortable(new Promise(() => undefined), signal);
    expect(listeners(signal)).toBe(1);
  });

  it('rejects with the reason as soon as the signal aborts, and leaves no listener', async () => {
    const stop = new AbortController();
    const waiting = abortable(new Promise(() => undefined), stop.signal);
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    expect(listeners(stop.signal)).toBe(0);
  });

  it('rejects at once when the signal has aborted before, even if the promise is settled', async () => {
    const signal = AbortSignal.abort(reason);
    await expect(abortable(Promise.resolve(1), signal)).rejects.toBe(reason);
  });

  it('stays settled when the signal aborts afterwards', async () => {
    const stop = new AbortController();
    const waiting = abortable(Promise.resolve(1), stop.signal);
    await waiting;
    stop.abort(reason);
    await expect(waiting).resolves.toBe(1);
  });

  it('takes care of a rejection that comes when nobody waits any more', async () => {
    const unhandled = vi.fn();
    process.on('unhandledRejection', unhandled);
    const stop = new AbortController();
    let fail: (error: unknown) => void = () => undefined;
    const waiting = abortable(new Promise((_, reject) => (fail = reject)), stop.signal);
    stop.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    fail(new Error('too late'));
    await new ManualClock().advance(0);
    process.off('unhandledRejection', unhandled);
    expect(unhandled).not.toHaveBeenCalled();
  });

  it('just waits when there is no signal', async () => {
    await expect(abortable(Promise.resolve(1), undefined)).resolves.toBe(1);
    await expect(abortable(Promise.reject(reason), undefined)).rejects.toBe(reason);
  });
});

describe('onAbort()', () => {
  it('calls once when the signal aborts', () => {
    const stop = new AbortController();
    const listener = vi.fn();
    onAbort(stop.signal, listener);
    stop.abort();
    expect(listener).toHaveBeenCalledOnce();
    expect(listeners(stop.signal)).toBe(0);
  });

  it('does not call when it was removed before, which may be done again', () => {
    const stop = new AbortController();
    const listener = vi.fn();
    const forget = onAbort(stop.signal, listener);
    forget();
    forget();
    expect(listeners(stop.signal)).toBe(0);
    stop.abort();
    expect(listener).not.toHaveBeenCalled();
  });

  it('does not call for a signal that has aborted before: whoever asks has to look', () => {
    onAbort(AbortSignal.abort(), () => expect.fail());
  });

  it('lets many wait on one signal without a warning', async () => {
    const warned = vi.fn();
    process.on('warning', warned);
    const { signal } = new AbortController();
    for (let n = 0; n < 100; n += 1) onAbort(signal, () => undefined);
    await new ManualClock().advance(0);
    process.off('warning', warned);
    expect(warned).not.toHaveBeenCalled();
  });

  it('leaves a signal that others may ask how many listeners it takes, as the fetch of undici does', () => {
    const { signal } = new AbortController();
    onAbort(signal, () => undefined);
    expect(() => getMaxListeners(signal)).not.toThrow();
  });

  it('does nothing without a signal', () => {
    expect(() => onAbort(undefined, () => expect.fail())()).not.toThrow();
  });
});
