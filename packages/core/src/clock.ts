import { uptime } from 'node:os';
import { onAbort } from './on-abort.ts';

/** Time, passed in so that everything that depends on it can be replayed. */
export interface Clock {
  /** Milliseconds since the epoch. May jump; only for what people read or processes exchange. */
  now(): number;
  /** Milliseconds since some fixed moment. Never goes back; for every measurement and timeout. */
  monotonic(): number;
  /** As `monotonic()`, but the time in which the machine was suspended counts too. Default: `monotonic()`. */
  uptime?(): number;
  /**
   * Calls `callback` once after `delayMs`.
   * A timer does not keep the process alive unless `keepAlive` is true: that is for waits that a caller awaits.
   */
  setTimer(callback: () => void, delayMs: number, options?: { readonly keepAlive?: boolean }): Timer;
}

export interface Timer {
  /** Idempotent. */
  cancel(): void;
  /** Whether it keeps the process alive from now on. A clock may do without. */
  keepAlive?(isKept: boolean): void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  uptime: () => uptime() * 1_000,
  setTimer(callback, delayMs, options) {
    return new SystemTimer(callback, delayMs, options?.keepAlive === true);
  },
};

/** Without closures, because it is set often. */
class SystemTimer implements Timer {
  #handle: NodeJS.Timeout;
  #isKept: boolean;

  constructor(callback: () => void, delayMs: number, isKept: boolean) {
    this.#isKept = isKept;
    this.#handle = delayMs > maxDelayMs ? this.#inSteps(callback, delayMs) : setTimeout(callback, delayMs);
    if (!isKept) this.#handle.unref();
  }

  cancel(): void {
    clearTimeout(this.#handle);
  }

  keepAlive(isKept: boolean): void {
    this.#isKept = isKept;
    if (isKept) this.#handle.ref();
    else this.#handle.unref();
  }

  #inSteps(callback: () => void, leftMs: number): NodeJS.Timeout {
    if (leftMs <= maxDelayMs) return setTimeout(callback, leftMs);
    return setTimeout(() => {
      this.#handle = this.#inSteps(callback, leftMs - maxDelayMs);
      if (!this.#isKept) this.#handle.unref();
    }, maxDelayMs);
  }
}

/** Node fires a longer delay at once. */
const maxDelayMs = 2_147_483_647;

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
