import { ManualClock, seededRng, type Clock } from '@sd/core';
import { silentLogger } from '@sd/testkit';
import { describe, expect, it } from 'vitest';
import { CheckSchedule, type CheckScheduleOptions } from '../src/check-schedule.ts';

const intervalMs = 1_000;

function startSchedule(options: Partial<CheckScheduleOptions> = {}) {
  const clock = new ManualClock();
  const rng = seededRng(7);
  const defaults = { intervalMs, jitter: 0.15, maxConcurrent: 100, clock, rng, logger: silentLogger };
  return { clock, schedule: new CheckSchedule({ ...defaults, ...options }) };
}

/** Notes when each look began. */
function recorder(clock: Clock) {
  const times: number[] = [];
  return {
    times,
    look: async (): Promise<void> => {
      times.push(clock.monotonic());
    },
  };
}

/** Jumps instead of moving: what a process sees whose event loop stood still. */
class StallingClock extends ManualClock {
  #jumpedMs = 0;

  jump(ms: number): void {
    this.#jumpedMs += ms;
  }

  override monotonic(): number {
    return super.monotonic() + this.#jumpedMs;
  }
}

describe('CheckSchedule', () => {
  it('looks for the first time within an interval, at a random moment', async () => {
    const { clock, schedule } = startSchedule();
    const all = Array.from({ length: 50 }, () => recorder(clock));
    for (const { look } of all) schedule.add(look);
    await clock.advance(intervalMs - 1);
    const firsts = all.map(({ times }) => times[0] ?? Infinity);
    expect(Math.max(...firsts)).toBeLessThan(intervalMs);
    expect(Math.max(...firsts) - Math.min(...firsts)).toBeGreaterThan(0.8 * intervalMs);
  });

  it('looks once an interval, around places that do not drift', async () => {
    const { clock, schedule } = startSchedule({ jitter: 0.15 });
    const { times, look } = recorder(clock);
    schedule.add(look);
    await clock.advance(500 * intervalMs);
    const [first = 0] = times;
    const offsets = times.map((time, round) => (time - first) / intervalMs - round);
    expect(times.length).toBeGreaterThanOrEqual(499);
    expect(Math.max(...offsets.map(Math.abs))).toBeLessThanOrEqual(0.15 + 1e-9);
    expect(Math.max(...offsets)).toBeGreaterThan(0.14);
    expect(Math.min(...offsets)).toBeLessThan(-0.14);
  });

  it('looks at equal distances without jitter', async () => {
    const { clock, schedule } = startSchedule({ jitter: 0 });
    const { times, look } = recorder(clock);
    schedule.add(look);
    await clock.advance(4 * intervalMs);
    const [first = 0] = times;
    expect(times).toEqual([0, 1, 2, 3].map((round) => first + round * intervalMs));
  });

  it('looks at 500 targets 100 times each in 100 intervals, give or take one, on one timer', async () => {
    const { clock, schedule } = startSchedule();
    const looks = new Uint32Array(500);
    for (let target = 0; target < looks.length; target += 1) {
      schedule.add(async () => {
        looks[target] = (looks[target] ?? 0) + 1;
      });
    }
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(100 * intervalMs);
    expect(clock.pendingTimers).toBe(1);
    expect([Math.min(...looks), Math.max(...looks)]).toEqual([99, 101]);
  });

  it('never lets a look overlap with itself, and leaves out what it took longer than', async () => {
    const { clock, schedule } = startSchedule({ jitter: 0 });
    const begun: number[] = [];
    let running = 0;
    let most = 0;
    schedule.add(async () => {
      begun.push(clock.monotonic());
      running += 1;
      most = Math.max(most, running);
      await new Promise<void>((resolve) => clock.setTimer(resolve, 2.5 * intervalMs));
      running -= 1;
    });
    await clock.advance(8 * intervalMs);
    const [first = 0] = begun;
    expect(most).toBe(1);
    expect(begun).toEqual([0, 3, 6].map((round) => first + round * intervalMs));
  });

  it('has no more looks under way than it may, and serves those that wait longest first', async () => {
    const { clock, schedule } = startSchedule({ jitter: 0, maxConcurrent: 2 });
    let running = 0;
    let most = 0;
    const looks = new Map<number, number>();
    for (let target = 0; target < 10; target += 1) {
      schedule.add(async () => {
        looks.set(target, (looks.get(target) ?? 0) + 1);
        running += 1;
        most = Math.max(most, running);
        await new Promise<void>((resolve) => clock.setTimer(resolve, 400));
        running -= 1;
      });
    }
    await clock.advance(40 * intervalMs); // room for 200 looks, while 400 are due
    expect(most).toBe(2);
    expect([...looks.values()].reduce((total, count) => total + count, 0)).toBeGreaterThanOrEqual(196);
    expect(Math.max(...looks.values()) - Math.min(...looks.values())).toBeLessThanOrEqual(1);
  });

  it('does not make up for what it missed while the event loop stood still', async () => {
    const clock = new StallingClock();
    const messages: string[] = [];
    const logger = { ...silentLogger, warn: (message: string) => void messages.push(message) };
    const { schedule } = startSchedule({ clock, logger });
    const all = Array.from({ length: 200 }, () => recorder(clock));
    for (const { look } of all) schedule.add(look);
    await clock.advance(2 * intervalMs);
    clock.jump(30 * intervalMs);
    const before = all.map(({ times }) => times.length);
    await clock.advance(10);
    const atOnce = all.filter(({ times }, index) => times.length > (before[index] ?? 0));
    expect(atOnce.length).toBeLessThan(20); // those whose moment it is anyway
    await clock.advance(1.5 * intervalMs);
    expect(all.every(({ times }, index) => times.length > (before[index] ?? 0))).toBe(true);
    expect(messages).toEqual([
      expect.stringMatching(/^The process stood still for \d+ ms: \d+ health checks are left out$/),
    ]);
  });

  it('makes up for a short pause with one look each', async () => {
    const clock = new StallingClock();
    const { schedule } = startSchedule({ clock, jitter: 0 });
    const { times, look } = recorder(clock);
    schedule.add(look);
    await clock.advance(intervalMs);
    clock.jump(0.9 * intervalMs);
    await clock.advance(2 * intervalMs);
    expect(times.length).toBeGreaterThanOrEqual(3);
    const [first = 0] = times;
    expect((times.at(-1) ?? 0) % intervalMs).toBeCloseTo(first % intervalMs, 6);
  });

  it('stops looking at what was taken out, and has no timer left with the last', async () => {
    const { clock, schedule } = startSchedule();
    const [kept, gone] = [recorder(clock), recorder(clock)];
    const removeKept = schedule.add(kept.look);
    const removeGone = schedule.add(gone.look);
    await clock.advance(2 * intervalMs);
    removeGone();
    removeGone();
    const looks = gone.times.length;
    await clock.advance(3 * intervalMs);
    expect(gone.times.length).toBe(looks);
    expect(kept.times.length).toBeGreaterThanOrEqual(4);
    removeKept();
    expect(clock.pendingTimers).toBe(0);
  });

  it('does not look again when it was taken out during a look', async () => {
    const { clock, schedule } = startSchedule({ rng: () => 0.5 });
    let looks = 0;
    const remove = schedule.add(async () => {
      looks += 1;
      await new Promise<void>((resolve) => clock.setTimer(resolve, 100));
    });
    await clock.advance(0.5 * intervalMs);
    expect(looks).toBe(1);
    remove();
    await clock.advance(5 * intervalMs);
    expect(looks).toBe(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('goes on after a look that failed, and reports it', async () => {
    const errors: unknown[] = [];
    const logger = {
      ...silentLogger,
      error: (_message: string, details?: object) => void errors.push(details),
    };
    const { clock, schedule } = startSchedule({ logger });
    const error = new Error('boom');
    schedule.add(() => Promise.reject(error));
    await clock.advance(3 * intervalMs);
    expect(errors.length).toBeGreaterThanOrEqual(2);
    expect(errors[0]).toEqual({ error });
  });
});
