import type { Clock, Timer } from '@sd/core';

/** Many deadlines on one timer. It is set for the earliest; moving a deadline later does not touch it. */
export class Deadlines<T> {
  readonly #clock: Clock;
  readonly #onDue: (items: readonly T[]) => void;
  readonly #dueAt = new Map<T, number>();
  #timer: Timer | undefined;
  #firesAt = Infinity;

  constructor(clock: Clock, onDue: (items: readonly T[]) => void) {
    this.#clock = clock;
    this.#onDue = onDue;
  }

  /** Sets or moves the deadline of an item. @param dueAt milliseconds on the monotonic clock */
  set(item: T, dueAt: number): void {
    this.#dueAt.set(item, dueAt);
    if (dueAt < this.#firesAt) this.#arm(dueAt);
  }

  delete(item: T): void {
    this.#dueAt.delete(item);
    if (this.#dueAt.size === 0) this.#arm(Infinity);
  }

  clear(): void {
    this.#dueAt.clear();
    this.#arm(Infinity);
  }

  #arm(firesAt: number): void {
    this.#timer?.cancel();
    this.#firesAt = firesAt;
    this.#timer =
      firesAt === Infinity
        ? undefined
        : this.#clock.setTimer(() => this.#fire(), Math.max(0, firesAt - this.#clock.monotonic()));
  }

  #fire(): void {
    // After a pause of the whole process (a debugger, a sleeping laptop) all timers are late. Taking only what was due
    // when this one was meant to fire keeps their order: a renewal comes before the expiry that it prevents.
    const until = Math.min(this.#firesAt, this.#clock.monotonic());
    const due: T[] = [];
    let next = Infinity;
    for (const [item, dueAt] of this.#dueAt) {
      if (dueAt <= until) due.push(item);
      else if (dueAt < next) next = dueAt;
    }
    for (const item of due) this.#dueAt.delete(item);
    this.#arm(next);
    if (due.length > 0) this.#onDue(due);
  }
}
