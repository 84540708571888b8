import { describe, expect, it } from 'vitest';
import { ManualClock } from '@sd/core';
import { Deadlines } from '../src/deadlines.ts';

function world() {
  const clock = new ManualClock();
  const due: [atMs: number, items: readonly string[]][] = [];
  return {
    clock,
    due,
    deadlines: new Deadlines<string>(clock, (items) => due.push([clock.monotonic(), items])),
  };
}

describe('Deadlines', () => {
  it('reports each item at its time, with one timer for all', async () => {
    const { clock, due, deadlines } = world();
    deadlines.set('b', 200);
    deadlines.set('a', 100);
    deadlines.set('b2', 200);
    expect(clock.pendingTimers).toBe(1);
    await clock.advance(1_000);
    expect(due).toEqual([
      [100, ['a']],
      [200, ['b', 'b2']],
    ]);
  });

  it('lets an item be moved, later and earlier', async () => {
    const { clock, due, deadlines } = world();
    deadlines.set('a', 100);
    deadlines.set('a', 300);
    deadlines.set('b', 500);
    deadlines.set('b', 200);
    await clock.advance(1_000);
    expect(due).toEqual([
      [200, ['b']],
      [300, ['a']],
    ]);
  });

  it('has no timer when nothing is left', async () => {
    const { clock, due, deadlines } = world();
    deadlines.set('a', 100);
    deadlines.delete('a');
    expect(clock.pendingTimers).toBe(0);
    await clock.advance(1_000);
    expect(due).toEqual([]);
  });
});
