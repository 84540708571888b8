import { seededRng } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { OutcomeWindow } from '../src/outcome-window.ts';

describe('a window of outcomes', () => {
  it('counts attempts and failures by slot', () => {
    const window = new OutcomeWindow(10);
    for (const isFailure of [true, false, false, false]) window.record(1, isFailure);
    expect([window.attempts(1), window.failures(1), window.successRate(1)]).toEqual([4, 1, 0.75]);
    expect([window.attempts(0), window.failures(0), window.successRate(0)]).toEqual([0, 0, 1]);
  });

  it('remembers exactly the last periods, whatever their number is', () => {
    const rng = seededRng(3);
    const window = new OutcomeWindow(4);
    const history: number[] = [0];
    for (let step = 0; step < 500; step += 1) {
      if (rng() < 0.7) {
        window.record(0, true);
        history[history.length - 1] = (history.at(-1) ?? 0) + 1;
      } else {
        const periods = Math.floor(6 * rng());
        window.advance(periods);
        history.push(...Array.from({ length: periods }, () => 0));
      }
      const expected = history.slice(-4).reduce((total, count) => total + count, 0);
      expect(window.failures(0)).toBe(expected);
      expect(window.attempts(0)).toBe(expected);
    }
  });

  it('is empty after a pause of any length', () => {
    const window = new OutcomeWindow(10);
    window.record(0, false);
    window.advance(1e9);
    expect(window.attempts(0)).toBe(0);
  });

  it('keeps what it knows when it grows, and forgets one slot alone', () => {
    const window = new OutcomeWindow(3);
    window.record(0, true);
    window.advance(1);
    window.grow(5);
    window.record(4, true);
    window.record(0, false);
    window.reset(4);
    expect([window.attempts(0), window.failures(0), window.attempts(4)]).toEqual([2, 1, 0]);
    window.advance(2);
    expect([window.attempts(0), window.failures(0)]).toEqual([1, 0]);
  });
});
