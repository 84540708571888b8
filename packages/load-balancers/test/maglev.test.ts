import { describe, expect, it } from 'vitest';
import { MaglevTable, type Endpoint } from '../src/index.ts';
import { instances, poolOf } from './pools.ts';

const size = 65_537;

const members = (count: number): readonly Endpoint[] => poolOf(instances(count)).endpoints;

/** The number of entries of each member. */
function entries(endpoints: readonly Endpoint[], weightOf: (place: number) => number = () => 1): number[] {
  const table = new MaglevTable();
  endpoints.forEach((endpoint, place) => table.set(endpoint, weightOf(place)));
  table.settle();
  const counts = new Map(endpoints.map(({ slot }) => [slot, 0]));
  for (let entry = 0; entry < size; entry += 1) {
    const owner = table.ownerOf(((entry + 0.5) / size) * 2 ** 32);
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  return [...counts.values()];
}

describe('MaglevTable', () => {
  it.each([1, 2, 3, 10, 100, 650])(
    'gives each of %i members the same number of entries, but for one',
    (count) => {
      const counts = entries(members(count));
      expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1);
      expect(counts).toHaveLength(count);
    },
  );

  it.each([
    ['small', (place: number) => place + 1],
    ['large', (place: number) => 1_000 * (place + 1)],
    ['fractional', (place: number) => 0.01 * (place + 1)],
  ])('has entries in proportion to weights that are %s', (_what, weightOf) => {
    const counts = entries(members(10), weightOf);
    counts.forEach((count, place) => expect(count / ((size * (place + 1)) / 55)).toBeCloseTo(1, 2));
  });

  it('gives a member of very little weight an entry all the same', () => {
    expect(entries(members(2), (place) => (place === 0 ? 10_000 : 0.001))).toEqual([size - 1, 1]);
  });

  it('has nobody to find without members', () => {
    const table = new MaglevTable();
    const [first] = members(1);
    expect(table.ownerOf(5)).toBe(-1);
    if (first !== undefined) table.set(first, 1);
    table.settle();
    expect(table.ownerOf(5)).toBe(first?.slot);
    if (first !== undefined) table.remove(first);
    table.settle();
    expect(table.ownerOf(5)).toBe(-1);
  });

  it.each([0, 2 ** 32 - 1])('knows an owner of the hash %i', (hash) => {
    const table = new MaglevTable();
    for (const endpoint of members(3)) table.set(endpoint, 1);
    table.settle();
    expect([0, 1, 2]).toContain(table.ownerOf(hash));
  });
});
