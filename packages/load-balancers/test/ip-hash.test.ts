import { seededRng, type ServiceInstance } from '@sd/core';
import { beforeAll, describe, expect, it } from 'vitest';
import type { EndpointPool } from '../src/index.ts';
import { inTurn, instances, pick, poolOf, tally, weighted } from './pools.ts';

const keys = Array.from(
  { length: 100_000 },
  (_, index) => `10.${index >> 16}.${(index >> 8) & 255}.${index & 255}`,
);

function ownersIn(pool: EndpointPool): readonly string[] {
  const set = pool.set('ip-hash');
  return keys.map((key) => {
    const endpoint = pick(set, { key, tried: [] });
    pool.finish(endpoint, 'ok', 1);
    return endpoint.id;
  });
}

const ownersAmong = (snapshot: readonly ServiceInstance[], seed = 1): readonly string[] =>
  ownersIn(poolOf(snapshot, { rng: seededRng(seed) }));

const moved = (before: readonly string[], after: readonly string[]): readonly number[] =>
  [...before.keys()].filter((index) => before[index] !== after[index]);

describe('ip-hash', () => {
  const ten = instances(10);
  let owners: readonly string[];
  beforeAll(() => {
    owners = ownersAmong(ten);
  });

  it('sends a key to the same endpoint each time, in every consumer', () => {
    expect(ownersAmong([...ten].reverse(), 2)).toEqual(owners);
  });

  it.each(ten.map(({ id }) => [id]))(
    'moves only the keys of %s, and at most 12 in 100, when it leaves',
    (left) => {
      const after = ownersAmong(ten.filter(({ id }) => id !== left));
      const gone = moved(owners, after);
      expect(gone.every((index) => owners[index] === left)).toBe(true);
      expect(gone.length).toBe(tally([...owners])[left]);
      expect(gone.length).toBeLessThanOrEqual(12_000);
    },
  );

  it('spreads the keys of the one that left over all others', () => {
    const after = ownersAmong(ten.slice(1));
    const heirs = tally(moved(owners, after).map((index) => after[index] ?? ''));
    expect(Object.keys(heirs)).toHaveLength(9);
    expect(Math.max(...Object.values(heirs))).toBeLessThan(1_800);
  });

  it('gives the keys back when it returns', () => {
    const pool = poolOf(ten);
    const before = ownersIn(pool);
    pool.update(ten.slice(1));
    expect(ownersIn(pool)).not.toEqual(before);
    pool.update(ten);
    expect(ownersIn(pool)).toEqual(before);
  });

  it('moves only the keys of an ejected endpoint', () => {
    const pool = poolOf(ten);
    const before = ownersIn(pool);
    const [first] = pool.endpoints;
    if (first !== undefined) pool.eject(first, 1_000);
    const after = ownersIn(pool);
    expect(moved(before, after).every((index) => before[index] === first?.id)).toBe(true);
    expect(after).not.toContain(first?.id);
    pool.close();
  });

  it('gives each of 10 equal endpoints its share within 15 %', () => {
    for (const count of Object.values(tally([...owners]))) {
      expect(Math.abs(count - 10_000)).toBeLessThan(1_500);
    }
  });

  it.each([
    ['small', [1, 2, 3, 4]],
    ['large', [2_500, 5_000, 7_500, 10_000]],
    ['fractional', [0.01, 0.02, 0.03, 0.04]],
  ])('respects weights that are %s within a tenth', (_what, weights) => {
    const counts = tally([...ownersAmong(weighted(...weights))]);
    [10_000, 20_000, 30_000, 40_000].forEach((fair, index) => {
      const id = String.fromCharCode(97 + index);
      expect(Math.abs((counts[id] ?? 0) - fair), id).toBeLessThan(fair * 0.1);
    });
  });

  it('shares alike when all weights are 0', () => {
    expect(ownersAmong(instances(10, () => ({ weight: 0 })))).toEqual(owners);
  });

  it.each([
    ['to', 1.5],
    ['from', 0.5],
  ])('moves only keys %s an endpoint whose weight becomes %d', (_where, weight) => {
    const after = ownersAmong(ten.map((one, index) => (index === 3 ? { ...one, weight } : one)));
    const changed = moved(owners, after);
    const gaining = weight > 1 ? after : owners;
    expect(changed.every((index) => gaining[index] === 'i-003')).toBe(true);
    expect(changed.length).toBeGreaterThan(2_000);
  });

  it.each([64, 128, 512])('has no size at which everything moves, such as %i', (size) => {
    const before = ownersAmong(instances(size));
    const after = ownersAmong(instances(size + 1));
    expect(moved(before, after).length).toBeLessThan((2.5 * keys.length) / size);
  });

  it('moves about twice what it must where the ring stays at its size', () => {
    const before = ownersAmong(instances(2_048));
    const after = ownersAmong(instances(2_049));
    expect(moved(before, after).length).toBeLessThan((3 * keys.length) / 2_048);
  });

  it('sends a call without a key to any endpoint', () => {
    const pool = poolOf(ten);
    const counts = Object.values(tally(inTurn(pool, pool.set('ip-hash'), 10_000)));
    expect(counts).toHaveLength(10);
    expect(Math.min(...counts)).toBeGreaterThan(850);
  });

  it('sends the second attempt of a key to the same other endpoint each time', () => {
    const pool = poolOf(ten);
    const set = pool.set('ip-hash');
    const first = pick(set, { key: '10.0.0.1', tried: [] });
    const seconds = Array.from({ length: 5 }, () => pick(set, { key: '10.0.0.1', tried: [first] }).id);
    expect(new Set(seconds).size).toBe(1);
    expect(seconds).not.toContain(first.id);
  });
});
