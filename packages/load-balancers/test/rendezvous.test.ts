import { describe, expect, it } from 'vitest';
import { RendezvousTable, type Endpoint } from '../src/index.ts';
import { hashText } from '../src/hash.ts';
import { instances, poolOf } from './pools.ts';

const keys = Array.from({ length: 50_000 }, (_, index) => hashText(`user-${index}`));

const members = (count: number): readonly Endpoint[] => poolOf(instances(count)).endpoints;

function tableOf(endpoints: readonly Endpoint[], weights: readonly number[] = []): RendezvousTable {
  const table = new RendezvousTable();
  endpoints.forEach((endpoint, place) => table.set(endpoint, weights[place] ?? 1));
  table.settle();
  return table;
}

describe('RendezvousTable', () => {
  it.each([
    ['equal', [1, 1, 1, 1]],
    ['different', [1, 2, 3, 4]],
    ['far apart', [0.5, 0.5, 0.5, 50]],
    ['large', [1_000, 2_000, 3_000, 10_000]],
  ])('has shares as exact as chance is, with weights that are %s', (_what, weights) => {
    const table = tableOf(members(4), weights);
    const counts = [0, 0, 0, 0];
    for (const key of keys) counts[table.ownerOf(key)] = (counts[table.ownerOf(key)] ?? 0) + 1;
    const total = weights.reduce((sum, weight) => sum + weight);
    counts.forEach((count, place) => {
      const share = (weights[place] ?? 0) / total;
      expect(Math.abs(count - keys.length * share)).toBeLessThan(
        4 * Math.sqrt(keys.length * share * (1 - share)),
      );
    });
  });

  it('moves keys only to one whose weight grows', () => {
    const before = tableOf(members(4), [1, 1, 1, 1]);
    const after = tableOf(members(4), [1, 1, 1, 2]);
    const heirs = keys
      .filter((key) => before.ownerOf(key) !== after.ownerOf(key))
      .map((key) => after.ownerOf(key));
    expect(new Set(heirs)).toEqual(new Set([3]));
    expect(Math.abs(heirs.length / keys.length - (2 / 5 - 1 / 4))).toBeLessThan(0.01);
  });

  it('says the same when weights have been different and are equal again', () => {
    const [a, ...rest] = members(4);
    const table = tableOf(a === undefined ? [] : [a, ...rest]);
    const before = keys.map((key) => table.ownerOf(key));
    for (const weight of [9, 1]) {
      if (a !== undefined) table.set(a, weight);
      table.settle();
    }
    expect(keys.map((key) => table.ownerOf(key))).toEqual(before);
  });

  it('has nobody to find without members', () => {
    const [first] = members(1);
    const table = tableOf([]);
    expect(table.ownerOf(1)).toBe(-1);
    if (first !== undefined) table.remove(first);
    table.settle();
    expect(table.ownerOf(1)).toBe(-1);
  });
});
