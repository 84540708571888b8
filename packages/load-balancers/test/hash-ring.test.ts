import { seededRng } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { HashRing } from '../src/strategies/hash-ring.ts';

const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `name-${index}`);
const ringOf = (count: number): HashRing => new HashRing(names(count), new Array<number>(count).fill(1));

describe('HashRing', () => {
  it('has 512 points for each of up to 512 members, and no more than 2^18 and one each beyond', () => {
    expect(ringOf(3).size).toBe(3 * 512);
    expect(ringOf(512).size).toBe(2 ** 18);
    expect(ringOf(5_000).size).toBeLessThanOrEqual(2 ** 18 + 5_000);
    expect(new HashRing(names(3), [10_000, 0.001, 0.001]).size).toBeLessThan(2 ** 18);
  });

  it('finds for every hash the first point from there on, around the end', () => {
    const ring = ringOf(7);
    const rng = seededRng(1);
    const hashes = [0, 2 ** 32 - 1, ...Array.from({ length: 5_000 }, () => Math.floor(rng() * 2 ** 32))];
    hashes.sort((left, right) => left - right);
    const found = hashes.map((hash) => ring.find(hash));
    const last = found.lastIndexOf(ring.size - 1);
    expect(found.slice(0, last + 1)).toEqual(found.slice(0, last + 1).sort((left, right) => left - right));
    expect(found.slice(last + 1).every((index) => index === 0)).toBe(true);
    expect(new Set(found).size).toBeGreaterThan(2_000);
  });

  it('has nothing to find where there is nobody', () => {
    expect([ringOf(0).size, ringOf(0).find(123)]).toEqual([0, 0]);
  });
});
