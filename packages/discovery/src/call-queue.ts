import { onAbort, type Clock } from '@sd/core';

export interface CallQueueOptions {
  /** Calls that may wait; those beyond are refused at once. Default: 0. */
  readonly limit?: number | undefined;
  /** How long one may wait, in milliseconds. Default: 1,000. */
  readonly maxWaitMs?: number | undefined;
}

/** Calls that wait until an endpoint may take one more, first come, first served. */
export class CallQueue {
  readonly #limit: number;
  readonly #maxWaitMs: number;
  readonly #clock: Clock;
  readonly #waiting: Waiting[] = [];

  constructor({ limit = 0, maxWaitMs = 1_000 }: CallQueueOptions, clock: Clock) {
    this.#limit = limit;
    this.#maxWaitMs = maxWaitMs;
    this.#clock = clock;
  }

  get length(): number {
    return this.#waiting.length;
  }

  /**
   * Waits until `take` succeeds: it is tried each time something was given back.
   * @returns false when there is no room, when it took too long, and when the signal aborts
   */
  wait(take: () => boolean, signal: AbortSignal): Promise<boolean> {
    if (this.#waiting.length >= this.#limit) return Promise.resolve(false);
    return new Promise((resolve) => {
      const end = (isTaken: boolean): void => {
        timer.cancel();
        forget();
        const place = this.#waiting.indexOf(waiting);
        if (place >= 0) this.#waiting.splice(place, 1);
        resolve(isTaken);
      };
      const waiting = { take, end, isAsked: false };
      this.#waiting.push(waiting);
      const timer = this.#clock.setTimer(() => end(false), this.#maxWaitMs, { keepAlive: true });
      const forget = onAbort(signal, () => end(false));
    });
  }

  /** An endpoint may have room: the first that finds one has it. Filters let some wait for other endpoints than others. */
  wake(): void {
    if (this.#waiting.length > 0) this.#wakeOne();
  }

  /** Somebody has come, or is back: as many have room as may be. */
  wakeAll(): void {
    while (this.#waiting.length > 0 && this.#wakeOne());
  }

  #wakeOne(): boolean {
    for (const waiting of this.#waiting) {
      // Whoever hears of its pick may give something back, or end the waits of others, before it has returned.
      if (waiting.isAsked) continue;
      waiting.isAsked = true;
      const isTaken = waiting.take();
      waiting.isAsked = false;
      if (!isTaken) continue;
      waiting.end(true);
      return true;
    }
    return false;
  }
}

interface Waiting {
  readonly take: () => boolean;
  readonly end: (isTaken: boolean) => void;
  isAsked: boolean;
}
