import { seededRng, type Clock, type Rng, type Timer } from '@sd/core';

/**
 * A discrete-event simulation: a virtual clock that jumps from event to event, and randomness from one seed. What runs
 * in it is the shipped code; the same seed gives the same run, to the last request.
 */
export class Simulation implements Clock {
  readonly #seed: number;
  readonly #events = new EventQueue();
  #streams = 0;
  #now = 0;

  constructor(seed: number) {
    this.#seed = seed;
  }

  now(): number {
    return this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    return this.at(this.#now + delayMs, callback);
  }

  /**
   * Calls `callback` at `time`, in milliseconds from the start, or now when that is past; events of one moment in the
   * order they were asked for.
   */
  at(time: number, callback: () => void): Timer {
    const event: Event = { time: Math.max(this.#now, time), number: 0, callback };
    this.#events.push(event);
    return { cancel: () => (event.callback = undefined) };
  }

  /** A stream of random numbers of its own for whoever asks, so that one more draw here changes nothing there. */
  rng(): Rng {
    this.#streams += 1;
    const rng = seededRng(this.#seed * 7_919 + this.#streams * 104_729);
    rng();
    return rng;
  }

  /** Runs what happens up to `time`. Synchronous: for code that awaits nothing. */
  run(time: number): void {
    for (let event = this.#events.pop(time); event !== undefined; event = this.#events.pop(time)) {
      this.#now = event.time;
      event.callback?.();
    }
    this.#now = time;
  }

  /** As `run`, and lets promises settle after each event: for code that awaits. */
  async runAsync(time: number): Promise<void> {
    for (let event = this.#events.pop(time); event !== undefined; event = this.#events.pop(time)) {
      this.#now = event.time;
      event.callback?.();
      await new Promise(setImmediate);
    }
    this.#now = time;
  }
}

interface Event {
  readonly time: number;
  number: number;
  /** Undefined: cancelled. */
  callback: (() => void) | undefined;
}

/** A binary heap by time, and by order of arrival among equals. */
class EventQueue {
  readonly #heap: Event[] = [];
  #pushed = 0;

  push(event: Event): void {
    event.number = this.#pushed++;
    const heap = this.#heap;
    let place = heap.length;
    heap.push(event);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      const above = heap[parent];
      if (above === undefined || !isBefore(event, above)) break;
      heap[place] = above;
      place = parent;
    }
    heap[place] = event;
  }

  /** The first event, if it is not after `time`. */
  pop(time: number): Event | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.time > time) return undefined;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return first;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      const [left, right] = [heap[child], heap[child + 1]];
      if (left === undefined) break;
      let least = left;
      if (right !== undefined && isBefore(right, left)) {
        least = right;
        child += 1;
      }
      if (!isBefore(least, last)) break;
      heap[place] = least;
      place = child;
    }
    heap[place] = last;
    return first;
  }
}

function isBefore(one: Event, other: Event): boolean {
  return one.time < other.time || (one.time === other.time && one.number < other.number);
}
