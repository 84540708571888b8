import { abortable, onAbort, type Clock } from '@sd/core';

export interface TimeLimitOptions<T> {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Makes what the wait rejects with when the time is up. */
  readonly tooLate: () => unknown;
  /** Ends the wait earlier, with its reason. */
  readonly signal?: AbortSignal | undefined;
  /** Takes what nobody waits for any more; it may still settle either way. */
  readonly onAbandon?: ((running: Promise<T>) => void) | undefined;
}

/**
 * Runs `work` with a signal that aborts when the time is up or `signal` does, and waits no longer than that, whether
 * `work` heeds its signal or not. What `work` throws before it returns a promise rejects like the rest.
 */
export async function withTimeLimit<T>(
  work: (signal: AbortSignal) => PromiseLike<T> | T,
  { clock, timeoutMs, tooLate, signal, onAbandon }: TimeLimitOptions<T>,
): Promise<T> {
  signal?.throwIfAborted();
  const scope = new AbortController();
  const forget = onAbort(signal, () => scope.abort(signal?.reason));
  const timer = clock.setTimer(() => scope.abort(tooLate()), timeoutMs);
  const running = (async () => work(scope.signal))();
  try {
    return await abortable(running, scope.signal);
  } catch (error) {
    if (scope.signal.aborted) onAbandon?.(running);
    throw error;
  } finally {
    timer.cancel();
    forget();
  }
}

/**
 * Keeps the process alive until `promise` settles, because a caller awaits it: Node would otherwise leave in the
 * middle, as background timers and idle stores do not hold it.
 */
export async function keepAlive<T>(clock: Clock, promise: Promise<T>): Promise<T> {
  const hold = clock.setTimer(() => undefined, 2_147_483_647, { keepAlive: true });
  try {
    return await promise;
  } finally {
    hold.cancel();
  }
}
