import { SlotList, type Clock, type Timer } from '@sd/core';

export interface Alarm {
  /** Of the clock. It may change while the alarm is set: tell `Alarms.moved` if it is sooner. */
  readonly ringsAt: number;
  /** At that time, or a little later. */
  ring(now: number): void;
}

/**
 * One timer for all alarms, as most are off again long before they ring: setting and cancelling a timer of its own would
 * take a call longer than all else that it does here. When the timer goes off it looks at each alarm that is set, at most
 * once a millisecond. Where it is late the process was busy, and what is waited for may lie there unread: that is read
 * first. The timer stays when all alarms are off, and keeps nothing alive: calls one after the other would set one each.
 */
export class Alarms {
  readonly #clock: Clock;
  readonly #set = new SlotList<Alarm>();
  #timer: Timer | undefined;
  #timerAt = Infinity;
  #hasWaited = false;
  #isClosed = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Hot path. @returns what `off` takes */
  set(alarm: Alarm, now: number): number {
    const slot = this.#set.add(alarm);
    if (this.#set.size === 1) this.#timer?.keepAlive?.(true); // somebody awaits each call
    this.moved(alarm, now);
    return slot;
  }

  /** Hot path. It rings at another time than it was set for. */
  moved({ ringsAt }: Alarm, now: number): void {
    if (ringsAt < this.#timerAt) this.#arm(ringsAt, now);
  }

  /** Hot path. */
  off(slot: number): void {
    this.#set.remove(slot);
    if (this.#set.size > 0) return;
    if (this.#timer?.keepAlive !== undefined && !this.#isClosed) this.#timer.keepAlive(false);
    else this.#disarm();
  }

  /** Those that are set still ring. */
  close(): void {
    this.#isClosed = true;
    if (this.#set.size === 0) this.#disarm();
  }

  #disarm(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAt = Infinity;
    this.#hasWaited = false;
  }

  #arm(at: number, now: number): void {
    this.#timer?.cancel();
    this.#timerAt = at;
    this.#timer = this.#clock.setTimer(this.#ring, at - now, { keepAlive: true });
  }

  readonly #ring = (): void => {
    const now = this.#clock.monotonic() + slackMs;
    if (this.#set.size === 0) {
      this.#disarm();
      return;
    }
    if (now - this.#timerAt > busyMs && !this.#hasWaited) {
      this.#hasWaited = true;
      this.#arm(now, now); // sockets are read before the next timer
      return;
    }
    this.#hasWaited = false;
    this.#timerAt = -Infinity; // not to be set while they ring
    try {
      for (const alarm of this.#set) if (alarm.ringsAt <= now) alarm.ring(now);
    } finally {
      this.#armNext(); // also for the others when one has thrown
    }
  };

  #armNext(): void {
    let next = Infinity;
    for (const { ringsAt } of this.#set) next = Math.min(next, ringsAt);
    if (next < Infinity) this.#arm(next, this.#clock.monotonic());
    else this.#disarm();
  }
}

/** A timer that rings so much too late says that the process is busy, in milliseconds. */
export const busyMs = 3;

/** Sums of fractions may fall this short of the time they stand for, in milliseconds. */
const slackMs = 0.01;
