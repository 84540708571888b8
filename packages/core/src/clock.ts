import { onAbort } from './on-abort.ts';

/** Time, passed in so that everything that depends on it can be replayed. */
export interface Clock {
  /** Milliseconds since the epoch. May jump; only for what people read or processes exchange. */
  now(): number;
  /** Milliseconds since some fixed moment. Never goes back; for every measurement and timeout. */
  monotonic(): number;
  /**
   * Calls `callback` once after `delayMs`.
   * A timer does not keep the process alive unless `keepAlive` is true: that is for waits that a caller awaits.
   */
  setTimer(callback: () => void, delayMs: number, options?: { readonly keepAlive?: boolean }): Timer;
}

export interface Timer {
  /** Idempotent. */
  cancel(): void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(callback, delayMs, options) {
    let handle: NodeJS.Timeout;
    const arm = (leftMs: number): void => {
      // Node fires a delay above 2^31 - 1 ms at once.
      const stepMs = Math.min(leftMs, 2_147_483_647);
      handle = setTimeout(() => (leftMs > stepMs ? arm(leftMs - stepMs) : callback()), stepMs);
      if (options?.keepAlive !== true) handle.unref();
    };
    arm(delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};

/**
 * Resolves after `delayMs`.
 * @throws the signal's reason, as soon as it aborts
 */
export function sleep(
  clock: Clock,
  delayMs: number,
  options: { readonly signal?: AbortSignal | undefined; readonly keepAlive?: boolean } = {},
): Promise<void> {
  const { signal, keepAlive = false } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted === true) return reject(signal.reason);
    const timer = clock.setTimer(
      () => {
        forget();
        resolve();
      },
      delayMs,
      { keepAlive },
    );
    const forget = onAbort(signal, () => {
      timer.cancel();
      reject(signal?.reason);
    });
  });
}
