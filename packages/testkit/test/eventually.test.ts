import { describe, expect, it } from 'vitest';
import { ManualClock } from '@sd/core';
import { eventually, virtualTime } from '@sd/testkit';

describe('eventually()', () => {
  it('returns what the assertion returns as soon as it holds', async () => {
    const clock = new ManualClock();
    const holds = () => {
      if (clock.monotonic() < 1_000) throw new Error('too early');
      return clock.monotonic();
    };
    expect(await eventually(holds, { time: virtualTime(clock), timeoutMs: 60_000 })).toBe(1_000);
  });

  it('lets no time pass when the assertion holds at once', async () => {
    const clock = new ManualClock();
    await eventually(() => undefined, { time: virtualTime(clock) });
    expect(clock.monotonic()).toBe(0);
  });

  it('throws the last failure when the time is over, and not later', async () => {
    const clock = new ManualClock();
    const failure = new Error('expected 1 to be 2');
    const waiting = eventually(() => Promise.reject(failure), {
      time: virtualTime(clock),
      timeoutMs: 25,
    });
    await expect(waiting).rejects.toMatchObject({
      message: 'Still not so after 25 ms: expected 1 to be 2',
      cause: failure,
    });
    expect(clock.monotonic()).toBe(25);
  });

  it('waits in real time when no other is given', async () => {
    const startedAt = performance.now();
    await eventually(() => expect(performance.now() - startedAt).toBeGreaterThan(15));
  });
});
