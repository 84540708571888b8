import { describe, expect, it } from 'vitest';
import { ManualClock } from '../src/index.ts';

/** Notes when each of its timers fires. */
function startClock() {
  const clock = new ManualClock();
  const fired: [name: string, at: number][] = [];
  const set = (name: string, delayMs: number) =>
    clock.setTimer(() => void fired.push([name, clock.monotonic()]), delayMs);
  return { clock, fired, set };
}

describe('ManualClock', () => {
  it('stands still until it is told to move, and then moves by just that', async () => {
    const clock = new ManualClock(1_000);
    expect([clock.now(), clock.monotonic()]).toEqual([1_000, 0]);
    await clock.advance(250);
    expect([clock.now(), clock.monotonic()]).toEqual([1_250, 250]);
  });

  it('fires each timer at its moment, in the order of moments and then of their making', async () => {
    const { clock, fired, set } = startClock();
    set('c', 20);
    set('a', 10);
    set('b', 10);
    set('late', 31);
    await clock.advance(30);
    expect(fired).toEqual([
      ['a', 10],
      ['b', 10],
      ['c', 20],
    ]);
    expect(clock.pendingTimers).toBe(1);
  });

  it('fires timers that are set by others on the way', async () => {
    const { clock, fired, set } = startClock();
    clock.setTimer(() => void set('set on the way', 5), 10);
    await clock.advance(20);
    expect(fired).toEqual([['set on the way', 15]]);
  });

  it('lets promises settle before the next timer fires', async () => {
    const { clock, fired, set } = startClock();
    clock.setTimer(() => {
      void Promise.resolve()
        .then(() => undefined)
        .then(() => set('set by a promise', 5));
    }, 10);
    set('b', 20);
    await clock.advance(20);
    expect(fired).toEqual([
      ['set by a promise', 15],
      ['b', 20],
    ]);
  });

  it('lets promises settle when no time passes', async () => {
    let settled = false;
    void Promise.resolve().then(() => (settled = true));
    await new ManualClock().advance(0);
    expect(settled).toBe(true);
  });

  it('forgets a cancelled timer', async () => {
    const { clock, fired, set } = startClock();
    const timer = set('cancelled', 10);
    clock.setTimer(() => timer.cancel(), 10 - 1);
    timer.cancel();
    timer.cancel();
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(20);
    expect(fired).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('takes a delay in the past as none', async () => {
    const { clock, fired, set } = startClock();
    await clock.advance(10);
    set('at once', -5);
    await clock.advance(0);
    expect(fired).toEqual([['at once', 10]]);
  });
});
