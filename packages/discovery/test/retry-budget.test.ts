import { ManualClock } from '@sd/core';
import { expect, it } from 'vitest';
import { RetryBudget } from '../src/retry-budget.ts';

function withdrawAll(budget: RetryBudget): number {
  let taken = 0;
  while (budget.withdraw()) taken += 1;
  return taken;
}

it('allows 10 retries a second over 10 seconds to a service without traffic', () => {
  expect(withdrawAll(new RetryBudget({ clock: new ManualClock() }))).toBe(100);
});

it('allows one more retry for every five calls', () => {
  const budget = new RetryBudget({ clock: new ManualClock(), perSecond: 0 });
  for (let call = 0; call < 50; call += 1) budget.deposit();
  expect(withdrawAll(budget)).toBe(10);
});

it('forgets calls and retries after 10 seconds, and not before', async () => {
  const clock = new ManualClock();
  const budget = new RetryBudget({ clock, perSecond: 1, ratio: 0.5 });
  for (let call = 0; call < 10; call += 1) budget.deposit();
  expect(withdrawAll(budget)).toBe(15);

  await clock.advance(9_999);
  expect(withdrawAll(budget)).toBe(0);
  await clock.advance(1);
  expect(withdrawAll(budget)).toBe(10);
});

it('starts anew after a long silence', async () => {
  const clock = new ManualClock();
  const budget = new RetryBudget({ clock, perSecond: 1 });
  withdrawAll(budget);

  await clock.advance(86_400_000);

  expect(withdrawAll(budget)).toBe(10);
});
