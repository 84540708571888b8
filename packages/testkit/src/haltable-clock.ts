import type { Clock, Timer } from '@sd/core';

/** A clock whose owner can die: after `halt()` none of its timers fires, though time goes on. */
export interface HaltableClock extends Clock {
  /** From now on no timer fires. */
  halt(): void;
  /** Timers that were set through this clock and have neither fired nor been cancelled. */
  readonly pendingTimers: number;
}

/** A process of its own for a client in this process: halting it is a crash, and its timers can be counted. */
export function haltableClock(clock: Clock): HaltableClock {
  const pending = new Set<Timer>();
  let halted = false;
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimer(callback, delayMs, options) {
      if (halted) return { cancel: () => undefined };
      const inner = clock.setTimer(
        () => {
          pending.delete(timer);
          callback();
        },
        delayMs,
        options,
      );
      const timer: Timer = {
        cancel() {
          pending.delete(timer);
          inner.cancel();
        },
      };
      pending.add(timer);
      return timer;
    },
    halt() {
      halted = true;
      for (const timer of pending) timer.cancel();
    },
    get pendingTimers() {
      return pending.size;
    },
  };
}
