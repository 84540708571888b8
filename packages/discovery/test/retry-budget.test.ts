import { ManualClock } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { RetryBudget } from '../src/retry-budget.ts';

function withdrawAll(budget: RetryBudget): number {
  let taken = 0;
  while (budget.withdraw()) taken += 1;
  return taken;
}

function times(count: number, act: () => void): void {
  for (let time = 0; time < count; time += 1) act();
}

it('allows 10 retries a second over 2 seconds to a service without traffic', () => {
  expect(withdrawAll(new RetryBudget({ clock: new ManualClock() }))).toBe(20);
});

it('allows one more retry for every five calls', () => {
  const clock = new ManualClock();
  const budget = new RetryBudget({ clock, perSecond: 0 });
  times(50, () => budget.deposit(clock.monotonic()));
  expect(withdrawAll(budget)).toBe(10);
});

it('says how many retries are left, and none where they would not help', () => {
  const clock = new ManualClock();
  const budget = new RetryBudget({ clock });
  times(5, () => budget.deposit(clock.monotonic()));
  expect(budget.left).toBe(21);
  budget.withdraw();
  expect(budget.left).toBe(20);
  times(20, () => budget.observe(false, clock.monotonic()));
  expect(budget.left).toBe(0);
});

it('forgets calls and retries after 2 seconds, and not before', async () => {
  const clock = new ManualClock();
  const budget = new RetryBudget({ clock, perSecond: 1, ratio: 0.5 });
  times(10, () => budget.deposit(clock.monotonic()));
  expect(withdrawAll(budget)).toBe(7);

  await clock.advance(1_799);
  expect(withdrawAll(budget)).toBe(0);
  await clock.advance(201);
  expect(withdrawAll(budget)).toBe(2);
});

it('starts anew after a long silence', async () => {
  const clock = new ManualClock();
  const budget = new RetryBudget({ clock, perSecond: 1 });
  withdrawAll(budget);

  await clock.advance(86_400_000);

  expect(withdrawAll(budget)).toBe(2);
});

it('bears time to be anything, also before the first step', async () => {
  const clock = new ManualClock();
  await clock.advance(123_456_789.5);
  const budget = new RetryBudget({ clock, perSecond: 0 });
  times(10, () => budget.deposit(clock.monotonic()));
  expect(withdrawAll(budget)).toBe(2);
});

describe('while most attempts fail', () => {
  it('allows none', () => {
    const clock = new ManualClock();
    const budget = new RetryBudget({ clock });
    times(20, () => budget.observe(true, clock.monotonic()));
    times(20, () => budget.observe(false, clock.monotonic()));
    expect(budget.withdraw()).toBe(true);
    budget.observe(false, clock.monotonic());
    expect(budget.withdraw()).toBe(false);
  });

  it('allows them again when most succeed, within 2 seconds', async () => {
    const clock = new ManualClock();
    const budget = new RetryBudget({ clock });
    times(100, () => budget.observe(false, clock.monotonic()));
    expect(budget.withdraw()).toBe(false);
    await clock.advance(2_000);
    expect(budget.withdraw()).toBe(true);
  });

  it('allows them where too few failed to tell', () => {
    const clock = new ManualClock();
    const budget = new RetryBudget({ clock });
    times(19, () => budget.observe(false, clock.monotonic()));
    expect(budget.withdraw()).toBe(true);
  });
});
