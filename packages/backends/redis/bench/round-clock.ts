import { systemClock, type Clock } from '@sd/core';

/** Timers of this length or longer wait for `round()`, in milliseconds. */
const heldFromMs = 60_000;

/**
 * The clock of the system, but what is due in a minute or later happens when it is told to. With a long ttl that is the
 * next round of renewals, and nothing else.
 */
export function roundClock(): Clock & {
  /** Begins the round that is due. */
  round(): void;
} {
  let due: (() => void) | undefined;
  return {
    ...systemClock,
    setTimer(callback, delayMs, options) {
      if (delayMs < heldFromMs) return systemClock.setTimer(callback, delayMs, options);
      due = callback;
      return { cancel: () => (due = due === callback ? undefined : due) };
    },
    round() {
      const begin = due;
      if (begin === undefined) throw new Error('no round is due');
      begin();
    },
  };
}
