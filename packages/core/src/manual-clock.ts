import type { Clock, Timer } from './clock.ts';

/** A clock for tests and simulations that moves only when told to. */
export class ManualClock implements Clock {
  readonly #startMs: number;
  readonly #timers = new Map<object, { readonly dueAt: number; readonly callback: () => void }>();
  #elapsedMs = 0;

  /** @param startMs milliseconds since the epoch */
  constructor(startMs = 1_767_225_600_000) {
    this.#startMs = startMs;
  }

  now(): number {
    return this.#startMs + this.#elapsedMs;
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const key = {};
    this.#timers.set(key, { dueAt: this.#elapsedMs + Math.max(0, delayMs), callback });
    return { cancel: () => void this.#timers.delete(key) };
  }

  /** Timers that are set and neither fired nor cancelled. */
  get pendingTimers(): number {
    return this.#timers.size;
  }

  /** Moves on by `ms`, firing each timer at its moment and letting promises settle after each. */
  async advance(ms: number): Promise<void> {
    const target = this.#elapsedMs + ms;
    await settled();
    for (let due = this.#takeDue(target); due !== undefined; due = this.#takeDue(target)) {
      this.#elapsedMs = due.dueAt;
      due.callback();
      await settled();
    }
    this.#elapsedMs = target;
  }

  #takeDue(target: number): { readonly dueAt: number; readonly callback: () => void } | undefined {
    let first: [key: object, timer: { readonly dueAt: number; readonly callback: () => void }] | undefined;
    for (const entry of this.#timers) {
      if (entry[1].dueAt <= target && (first === undefined || entry[1].dueAt < first[1].dueAt)) first = entry;
    }
    if (first !== undefined) this.#timers.delete(first[0]);
    return first?.[1];
  }
}

/** Everything that needs no time, input or output to happen has happened. */
function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
