import { seededRng } from '@sd/core';
import { describe, expect, it } from 'vitest';
import type { Endpoint } from '../src/index.ts';
import { Rotation } from '../src/strategies/rotation.ts';
import { ids, instances, poolOf, sample, tally } from './pools.ts';

const all = poolOf(instances(12)).endpoints;

function rotationOf(endpoints: readonly Endpoint[], rng = () => 0): Rotation {
  const rotation = new Rotation(rng);
  for (const endpoint of endpoints) rotation.add(endpoint);
  return rotation;
}

const take = (rotation: Rotation, count: number): string[] =>
  Array.from({ length: count }, () => rotation.take()?.id ?? 'nobody');

describe('Rotation', () => {
  it('takes one after the other, around the end', () => {
    expect(take(rotationOf(all.slice(0, 3)), 7)).toEqual([
      ...['i-000', 'i-001', 'i-002'],
      ...['i-000', 'i-001', 'i-002', 'i-000'],
    ]);
  });

  it('starts where chance says', () => {
    expect(
      take(
        rotationOf(all.slice(0, 4), () => 0.75),
        2,
      ),
    ).toEqual(['i-003', 'i-000']);
  });

  it('has nobody to take when it is empty, and starts again when somebody comes', () => {
    const [a, b] = all;
    const rotation = rotationOf([]);
    expect(rotation.take()).toBeUndefined();
    if (a === undefined || b === undefined) return;
    rotation.add(a);
    rotation.remove(a);
    rotation.remove(a);
    expect(rotation.take()).toBeUndefined();
    rotation.add(b);
    expect(rotation.take()).toBe(b);
  });

  it('does not have anybody twice', () => {
    const rotation = rotationOf([...all, ...all]);
    expect([rotation.size, ids(rotation.members)]).toEqual([12, ids(all)]);
  });

  it('gives nobody a second turn in a round, nor takes one away, when others come and go', () => {
    const rng = seededRng(4);
    const stays = all.slice(0, 4);
    const others = all.slice(4);
    const rotation = rotationOf(all, rng);
    const taken: string[] = [];
    const turns = new Map(ids(stays).map((id) => [id, 0]));
    for (let step = 0; step < 5_000; step += 1) {
      for (const one of sample(others, 2, rng)) {
        if (rotation.has(one)) rotation.remove(one);
        else rotation.add(one);
      }
      const id = rotation.take()?.id ?? '';
      taken.push(id);
      if (turns.has(id)) turns.set(id, (turns.get(id) ?? 0) + 1);
      expect(Math.max(...turns.values()) - Math.min(...turns.values())).toBeLessThanOrEqual(1);
    }
    expect(Object.keys(tally(taken))).toHaveLength(12);
  });
});
