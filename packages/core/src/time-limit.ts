import type { Clock, Timer } from './clock.ts';
import { onAbort } from './on-abort.ts';

/** A signal for one piece of work: it aborts when the outer one does, when the time is up, or when the work is over. */
export class TimeLimit {
  readonly #scope = new AbortController();
  readonly #timer: Timer;
  readonly #forget: () => void;

  /**
   * @param tooLate makes the reason for which the signal aborts when the time is up
   * @param outer has not aborted yet
   */
  constructor(clock: Clock, timeoutMs: number, tooLate: () => unknown, outer: AbortSignal) {
    this.#timer = clock.setTimer(() => this.#scope.abort(tooLate()), timeoutMs);
    this.#forget = onAbort(outer, () => {
      this.#timer.cancel();
      this.#scope.abort(outer.reason);
    });
  }

  get signal(): AbortSignal {
    return this.#scope.signal;
  }

  /** From now on the work may take as long as it wants. */
  lift(): void {
    this.#timer.cancel();
  }

  /** The work is over: whatever is left of it is told to stop. */
  end(): void {
    this.#timer.cancel();
    this.#forget();
    this.#scope.abort();
  }
}
