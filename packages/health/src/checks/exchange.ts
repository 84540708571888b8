import { onAbort } from '@sd/core';
import type { CheckResult } from '../health-check.ts';

export interface Exchange {
  /** Idempotent. */
  close(): void;
  /** What can be said when it is cut off now; `undefined`: nothing. */
  cutOff?(reason: unknown): CheckResult | undefined;
}

/**
 * One exchange with a target. It ends once, by the first result or by the signal, and whatever it opened is closed then.
 * @param open starts it; calls `end` later, as often as it wants
 * @throws the signal's reason, as soon as it aborts and the exchange has nothing to say
 */
export function exchange(
  signal: AbortSignal,
  open: (end: (result: CheckResult) => void) => Exchange,
): Promise<CheckResult> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    let isOver = false;
    const finish = (settle: () => void): void => {
      if (isOver) return; // closing may itself bring an error
      isOver = true;
      forget();
      opened.close();
      settle();
    };
    const opened = open((result) => finish(() => resolve(result)));
    const forget = onAbort(signal, () => {
      const result = opened.cutOff?.(signal.reason);
      finish(() => (result === undefined ? reject(signal.reason) : resolve(result)));
    });
  });
}
