import { seededRng } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { DueHeap, type Due } from '../src/due-heap.ts';

describe('DueHeap', () => {
  it('hands out the earliest of those that wait, whatever was added and removed before', () => {
    const rng = seededRng(1);
    const heap = new DueHeap<Due>();
    const waiting = new Set<Due>();
    for (let step = 0; step < 5_000; step += 1) {
      const all = [...waiting];
      if (rng() < 0.55 || all.length === 0) {
        const entry = { dueAt: Math.floor(rng() * 50), place: -1 };
        waiting.add(entry);
        heap.add(entry);
      } else {
        const entry = rng() < 0.5 ? heap.earliest : all[Math.floor(rng() * all.length)];
        if (entry === undefined) throw new Error('nothing waits');
        waiting.delete(entry);
        heap.remove(entry);
        expect(entry.place).toBe(-1);
      }
      const earliest = Math.min(...[...waiting].map(({ dueAt }) => dueAt));
      expect(heap.earliest?.dueAt ?? Infinity).toBe(earliest);
    }
  });

  it('does nothing when what does not wait is removed', () => {
    const heap = new DueHeap<Due>();
    const entry = { dueAt: 1, place: -1 };
    heap.add(entry);
    heap.remove({ dueAt: 0, place: -1 });
    expect(heap.earliest).toBe(entry);
  });
});
