import { describe, expect, it } from 'vitest';
import { scheduleOf, type Fault } from '../schedule.ts';
import { stores, type StoreName } from '../stores.ts';

const all = stores.redis.faults;
const seeds = Array.from({ length: 300 }, (_, index) => index + 1);

describe('scheduleOf()', () => {
  it('is the same for the same seed, and another for another', () => {
    expect(scheduleOf(7, all)).toEqual(scheduleOf(7, all));
    expect(scheduleOf(7, all)).not.toEqual(scheduleOf(8, all));
  });

  it('has every kind of fault, and several in each schedule', () => {
    const schedules = seeds.map((seed) => scheduleOf(seed, all));
    expect(new Set(schedules.flat().map(({ fault }) => fault.name)).size).toBe(18);
    expect(Math.min(...schedules.map(({ length }) => length))).toBeGreaterThanOrEqual(2);
  });

  it('never does two things to the store, or to one process, at the same time', () => {
    for (const seed of seeds) {
      const onStore = scheduleOf(seed, all).filter(({ fault }) => fault.name.endsWith('-store'));
      for (const [index, { atMs }] of onStore.entries()) {
        const before = onStore[index - 1];
        if (before !== undefined) expect(atMs).toBeGreaterThan(before.atMs + durationOf(before.fault));
      }
    }
  });

  it('takes away one sentinel or all, and never two one after the other', () => {
    for (const seed of seeds) {
      const onSentinels = scheduleOf(seed, stores['redis-sentinel'].faults).flatMap(({ atMs, fault }) =>
        'sentinels' in fault ? [{ atMs, endMs: atMs + fault.forMs, count: fault.sentinels.length }] : [],
      );
      for (const [index, { atMs, count }] of onSentinels.entries()) {
        expect([1, 3]).toContain(count);
        expect(atMs).toBeGreaterThan(onSentinels[index - 1]?.endMs ?? -1);
      }
    }
  });

  it('has nothing that a store cannot do', () => {
    const names = seeds.flatMap((seed) =>
      scheduleOf(seed, stores.static.faults).map(({ fault }) => fault.name),
    );
    expect(names).not.toContain('freeze-store');
    expect(names).not.toContain('cut-off');
  });

  it('has what only a Cluster, or only sentinels can do', () => {
    const namesOf = (store: StoreName) =>
      seeds.flatMap((seed) => scheduleOf(seed, stores[store].faults).map(({ fault }) => fault.name));
    expect(namesOf('redis-cluster')).toContain('reform-store');
    expect(namesOf('redis-sentinel')).toEqual(expect.arrayContaining(['kill-sentinels', 'freeze-sentinels']));
  });
});

const durationOf = (fault: Fault): number => ('forMs' in fault ? fault.forMs : 0);
