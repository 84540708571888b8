import { seededRng } from '@sd/core';
import { describe, expect, it } from 'vitest';
import { anyRequest, firstUntried, LoadBalancerFactory } from '../src/index.ts';
import { instances, pick, poolOf, sample } from './pools.ts';

const zoneOf = (index: number): string => `z${index % 3}`;

describe.each(new LoadBalancerFactory().names)('%s', (strategy) => {
  it('never returns an endpoint that was tried while another is left', () => {
    const rng = seededRng(5);
    for (let size = 2; size <= 12; size += 1) {
      const weighted = instances(size, (index) => ({ weight: 10 ** rng() - 0.5, zone: zoneOf(index) }));
      const pool = poolOf(weighted, { zone: 'z1' });
      const set = pool.set(strategy);
      for (let round = 0; round < 100; round += 1) {
        const tried = sample(pool.endpoints, 1 + Math.floor(rng() * (size - 1)), rng);
        const key = rng() < 0.5 ? undefined : `key-${round}`;
        const endpoint = pick(set, { key, tried });
        expect(tried).not.toContain(endpoint);
        if (rng() < 0.5) pool.finish(endpoint, 'ok', 1);
      }
    }
  });

  it('finds the light one when the heavy one was tried', () => {
    const pool = poolOf(instances(2, (index) => ({ weight: index === 0 ? 10_000 : 0.001 })));
    const [heavy, light] = pool.endpoints;
    const tried = heavy === undefined ? [] : [heavy];
    expect(pool.set(strategy).pick({ key: undefined, tried })).toBe(light);
    expect(pool.set(strategy).pick({ key: 'k', tried })).toBe(light);
  });

  it('returns one again when all were tried', () => {
    const pool = poolOf(
      instances(4, (index) => ({ zone: zoneOf(index) })),
      { zone: 'z1' },
    );
    const tried = [...pool.endpoints];
    for (const key of [undefined, 'k']) expect(tried).toContain(pool.set(strategy).pick({ key, tried }));
  });

  it('does not mind tried endpoints that have left', () => {
    const pool = poolOf(instances(3), { zone: 'z1' });
    const tried = [...pool.endpoints];
    pool.update(instances(4).slice(3));
    expect(pool.set(strategy).pick({ key: 'k', tried })?.id).toBe('i-003');
  });

  it('picks nothing from nothing', () => {
    const pool = poolOf([], { zone: 'z1' });
    const set = pool.set(strategy);
    expect(set.pick(anyRequest)).toBeUndefined();
    expect(set.pick({ key: 'k', tried: poolOf(instances(1)).endpoints })).toBeUndefined();
    pool.update(instances(2));
    expect(set.pick(anyRequest)).toBeDefined();
    pool.update([]);
    expect(set.pick(anyRequest)).toBeUndefined();
  });

  it('picks the only one each time', () => {
    const pool = poolOf(instances(1), { zone: 'z1' });
    const set = pool.set(strategy);
    const tried = [...pool.endpoints];
    for (const request of [
      anyRequest,
      { key: 'k', tried: [] },
      { key: undefined, tried },
      { key: 'k', tried },
    ]) {
      expect(set.pick(request)?.id).toBe('i-000');
    }
  });
});

describe('firstUntried', () => {
  const { endpoints } = poolOf(instances(3));
  const [a, b, c] = endpoints;

  it('goes around the end', () => {
    expect(firstUntried(endpoints, 2, [])).toBe(c);
    expect(firstUntried(endpoints, 2, c === undefined ? [] : [c])).toBe(a);
  });

  it('gives the one it was to start at when all were tried', () => {
    expect(firstUntried(endpoints, 1, endpoints)).toBe(b);
  });

  it('gives nothing outside the list', () => {
    expect(firstUntried(endpoints, 3, [])).toBeUndefined();
    expect(firstUntried([], 0, [])).toBeUndefined();
  });
});
