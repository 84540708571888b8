import { seededRng } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { HashRing, type Endpoint } from '../src/index.ts';
import { instances, poolOf } from './pools.ts';

const hashes = Array.from({ length: 20_000 }, (_, index) => (index * 214_748.3647) >>> 0);

function ringOf(endpoints: readonly Endpoint[], weights: readonly number[] = []): HashRing {
  const ring = new HashRing();
  endpoints.forEach((endpoint, place) => ring.set(endpoint, weights[place] ?? 1));
  ring.settle();
  return ring;
}

const members = (count: number): readonly Endpoint[] => poolOf(instances(count)).endpoints;

describe('HashRing', () => {
  it('has 512 points for each of up to 512 members, and no more than 2^18 and one each beyond', () => {
    expect(ringOf(members(3)).size).toBe(3 * 512);
    expect(ringOf(members(512)).size).toBe(2 ** 18);
    expect(ringOf(members(5_000)).size).toBeLessThanOrEqual(2 ** 18 + 5_000);
    expect(ringOf(members(3), [10_000, 0.001, 0.001]).size).toBeLessThanOrEqual(2 ** 18 + 3);
  });

  it('has nothing to find where there is nobody', () => {
    expect([ringOf([]).size, ringOf([]).ownerOf(123)]).toEqual([0, -1]);
  });

  it.each([6, 40, 700])('is the same ring after any changes among %d as one that is made anew', (count) => {
    const rng = seededRng(count);
    const all = members(count);
    const ring = new HashRing();
    let present = new Map<Endpoint, number>();
    for (let step = 0; step < 30; step += 1) {
      const next = new Map(present);
      for (let changes = Math.floor(rng() ** 3 * count); changes >= 0; changes -= 1) {
        const endpoint = all[Math.floor(rng() * count)];
        if (endpoint === undefined) continue;
        if (next.has(endpoint) && rng() < 0.5) next.delete(endpoint);
        else next.set(endpoint, 1 + Math.floor(rng() * 4));
      }
      for (const endpoint of present.keys()) if (!next.has(endpoint)) ring.remove(endpoint);
      for (const [endpoint, weight] of next) if (present.get(endpoint) !== weight) ring.set(endpoint, weight);
      ring.settle();
      present = next;
      const anew = ringOf([...present.keys()], [...present.values()]);
      expect(hashes.filter((hash) => ring.ownerOf(hash) !== anew.ownerOf(hash))).toEqual([]);
      expect(ring.size).toBe(anew.size);
    }
  });
});
