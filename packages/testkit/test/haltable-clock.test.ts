import { describe, expect, it } from 'vitest';
import { ManualClock } from '@sd/core';
import { haltableClock } from '@sd/testkit';

describe('haltableClock()', () => {
  it('fires its timers until it is halted, and none after that', async () => {
    const clock = new ManualClock();
    const own = haltableClock(clock);
    const fired: string[] = [];
    own.setTimer(() => fired.push('before'), 1_000);
    own.setTimer(() => fired.push('set before'), 3_000);

    await clock.advance(2_000);
    own.halt();
    own.setTimer(() => fired.push('set after'), 0);
    await clock.advance(10_000);

    expect(fired).toEqual(['before']);
    expect(own.monotonic()).toBe(12_000);
    expect(clock.pendingTimers).toBe(0);
  });

  it('counts the timers that are neither fired nor cancelled', async () => {
    const clock = new ManualClock();
    const own = haltableClock(clock);
    own.setTimer(() => undefined, 1_000);
    own.setTimer(() => undefined, 2_000).cancel();
    clock.setTimer(() => undefined, 3_000);
    expect(own.pendingTimers).toBe(1);

    await clock.advance(1_000);
    expect(own.pendingTimers).toBe(0);
  });
});
