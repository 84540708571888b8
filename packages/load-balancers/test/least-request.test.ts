import { seededRng } from '@sd/core';
import { describe, expect, it } from 'vitest';
import type { Endpoint, EndpointPool } from '../src/index.ts';
import { atOnce, inTurn, instances, pick, poolOf, tally, weighted } from './pools.ts';

/** Keeps `concurrent` calls under way, each of which ends when another has begun: the ids picked. */
function steadily(pool: EndpointPool, concurrent: number, calls: number): string[] {
  const set = pool.set('least-request');
  const rng = seededRng(3);
  const underWay: Endpoint[] = [];
  return Array.from({ length: calls }, () => {
    const endpoint = pick(set);
    underWay.push(endpoint);
    if (underWay.length > concurrent) {
      const [done] = underWay.splice(Math.floor(rng() * underWay.length), 1);
      if (done !== undefined) pool.finish(done, 'ok', 1);
    }
    return endpoint.id;
  });
}

const weights = [1, 2, 3, 4];

function expectShares(picked: readonly string[], within: number): void {
  const counts = tally(picked);
  weights.forEach((weight, place) => {
    const fair = (picked.length * weight) / 10;
    const id = String.fromCharCode(97 + place);
    expect(Math.abs((counts[id] ?? 0) - fair) / fair, id).toBeLessThan(within);
  });
}

describe('least-request', () => {
  it('spreads 50 concurrent calls over 5 endpoints', () => {
    const counts = Object.values(tally(atOnce(poolOf(instances(5)).set('least-request'), 50)));
    expect(counts).toHaveLength(5);
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(3);
  });

  it('never leaves an endpoint of equal weight more than a few behind, with 1,000 calls on 10', () => {
    const counts = Object.values(tally(atOnce(poolOf(instances(10)).set('least-request'), 1_000)));
    expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(6);
  });

  it('follows weights when calls come one at a time', () => {
    const pool = poolOf(weighted(...weights));
    expectShares(inTurn(pool, pool.set('least-request'), 20_000), 0.06);
  });

  it('follows weights when 100 calls are under way', () => {
    expectShares(steadily(poolOf(weighted(...weights)), 100, 20_000), 0.1);
  });

  it('has in flight in proportion to weights', () => {
    expectShares(atOnce(poolOf(weighted(...weights)).set('least-request'), 1_000), 0.1);
  });

  it.each([2, 5, 20])(
    'gives a canary of 1 % little more than that, with %d calls under way',
    (concurrent) => {
      const counts = tally(steadily(poolOf(weighted(99, 1)), concurrent, 10_000));
      expect(counts['b'] ?? 0).toBeLessThan(400);
    },
  );

  it('prefers the idle one of two', () => {
    const pool = poolOf(instances(2));
    const set = pool.set('least-request');
    const busy = pick(set);
    // Both draws may fall on the busy one several times in a row: in 1 of 64 cases.
    expect(tally(inTurn(pool, set, 400))[busy.id] ?? 0).toBeLessThan(20);
  });

  it('does not keep to an endpoint that others know to be busy', () => {
    const picked = Array.from({ length: 100 }, (_, seed) => {
      const pool = poolOf(instances(10), { rng: seededRng(seed) });
      return pick(pool.set('least-request')).id;
    });
    expect(Math.max(...Object.values(tally(picked)))).toBeLessThan(25);
  });
});
