import { ManualClock, type Clock } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { Alarms } from '../src/alarms.ts';

function start() {
  const clock = new ManualClock();
  const alarms = new Alarms(clock);
  const rung: string[] = [];
  /** Rings once. */
  const set = (name: string, afterMs: number, ring?: () => void) => {
    const alarm = {
      ringsAt: clock.monotonic() + afterMs,
      ring: () => {
        rung.push(name);
        alarm.ringsAt = Infinity;
        ring?.();
      },
    };
    return { alarm, slot: alarms.set(alarm, clock.monotonic()) };
  };
  return { clock, alarms, rung, set };
}

describe('alarms', () => {
  it('ring at their time, whatever order they were set in', async () => {
    const { clock, rung, set } = start();
    set('late', 30);
    set('early', 10);
    await clock.advance(9);
    expect(rung).toEqual([]);
    await clock.advance(1);
    expect(rung).toEqual(['early']);
    await clock.advance(20);
    expect(rung).toEqual(['early', 'late']);
  });

  it('have one timer, and none when all are off', () => {
    const { clock, alarms, set } = start();
    const slots = [30, 10, 20].map((afterMs) => set('any', afterMs).slot);
    expect(clock.pendingTimers).toBe(1);
    for (const slot of slots) alarms.off(slot);
    expect(clock.pendingTimers).toBe(0);
  });

  it('ring sooner when they are moved', async () => {
    const { clock, alarms, rung, set } = start();
    const { alarm } = set('moved', 30);
    alarm.ringsAt = 5;
    alarms.moved(alarm, clock.monotonic());
    await clock.advance(5);
    expect(rung).toEqual(['moved']);
  });

  it('do not ring once they are off', async () => {
    const { clock, alarms, rung, set } = start();
    const { slot } = set('off', 10);
    set('on', 10);
    alarms.off(slot);
    await clock.advance(10);
    expect(rung).toEqual(['on']);
  });

  it('may be set and switched off by one that rings', async () => {
    const { clock, alarms, rung, set } = start();
    const first = set('first', 10, () => {
      alarms.off(first.slot);
      set('second', 10);
    });
    await clock.advance(20);
    expect(rung).toEqual(['first', 'second']);
  });
});

/** Alarms on timers that can be let go, as those of the system can, with whether each keeps the process alive. */
function startKept() {
  const timers = new Set<{ isKept: boolean }>();
  const clock = new ManualClock();
  const alarms = new Alarms({
    now: () => clock.now(),
    monotonic: () => clock.monotonic(),
    setTimer(callback, delayMs, { keepAlive = false } = {}) {
      const state = { isKept: keepAlive };
      timers.add(state);
      const timer = clock.setTimer(() => {
        timers.delete(state);
        callback();
      }, delayMs);
      return {
        cancel: () => {
          timers.delete(state);
          timer.cancel();
        },
        keepAlive: (isKept) => (state.isKept = isKept),
      };
    },
  });
  const rung: string[] = [];
  const set = (name: string, afterMs: number): number => {
    const alarm = {
      ringsAt: clock.monotonic() + afterMs,
      ring: () => {
        rung.push(name);
        alarm.ringsAt = Infinity;
      },
    };
    return alarms.set(alarm, clock.monotonic());
  };
  return { clock, alarms, timers: () => [...timers], rung, set };
}

describe('the timer of alarms', () => {
  it('stays when all are off, and keeps the process alive only while one is set', () => {
    const { alarms, timers, set } = startKept();
    alarms.off(set('first', 10));
    expect(timers()).toEqual([{ isKept: false }]);
    const [timer] = timers();
    const slot = set('second', 10);
    expect(timers()).toEqual([{ isKept: true }]);
    expect(timers()[0]).toBe(timer);
    alarms.off(slot);
    expect(timers()).toEqual([{ isKept: false }]);
  });

  it('serves the next alarm also where it was set for one that is off', async () => {
    const { clock, alarms, rung, set } = startKept();
    alarms.off(set('first', 10));
    await clock.advance(5);
    set('second', 10);
    await clock.advance(9);
    expect(rung).toEqual([]);
    await clock.advance(1);
    expect(rung).toEqual(['second']);
  });

  it('is gone when it has gone off for nobody', async () => {
    const { clock, alarms, timers, set } = startKept();
    alarms.off(set('first', 10));
    await clock.advance(10);
    expect(timers()).toEqual([]);
  });

  it('is gone when they are closed, with the last that is still set', () => {
    const { alarms, timers, set } = startKept();
    const slot = set('first', 10);
    alarms.close();
    expect(timers()).toEqual([{ isKept: true }]);
    alarms.off(slot);
    expect(timers()).toEqual([]);
  });
});

/** A process whose timers go off when it has time for them. */
function busyProcess() {
  let now = 0;
  let timer: () => void = () => undefined;
  const clock: Clock = {
    now: () => now,
    monotonic: () => now,
    setTimer(callback) {
      timer = callback;
      return { cancel: () => undefined };
    },
  };
  const rung: number[] = [];
  const alarm = { ringsAt: 200, ring: () => void rung.push(now) };
  new Alarms(clock).set(alarm, now);
  const timerAt = (at: number): void => {
    now = at;
    timer();
  };
  return { alarm, rung, timerAt };
}

describe('alarms of a busy process', () => {
  it('do not ring for what lay there unread', () => {
    const { alarm, rung, timerAt } = busyProcess();
    timerAt(300);
    alarm.ringsAt = Infinity; // it was answered
    timerAt(301);
    expect(rung).toEqual([]);
  });

  it('ring all the same when it stays busy', () => {
    const { rung, timerAt } = busyProcess();
    timerAt(300);
    timerAt(600);
    expect(rung).toEqual([600]);
  });
});
