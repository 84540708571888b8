import { describe, expect, it } from 'vitest';
import { requireServer } from '../../servers/index.ts';
import { runProgram } from '../run-program.ts';
import { slope } from '../slope.ts';

// The leases of other stores by hand: the conformance suites restart those often enough.
describe.each(['calls', 'lifecycles', 'leases-redis'] as const)('%s, for a while', (name) => {
  it.skipIf(name === 'leases-redis' && !requireServer('redis'))('leave nothing behind', async () => {
    const { problems } = await runProgram(name, ['--quick']);
    expect(problems).toEqual([]);
  });
});

describe('slope()', () => {
  it('is what is added with each step', () => expect(slope([1, 3, 5, 7])).toBe(2));
  it('is nothing where nothing changes', () => expect(slope([4, 4, 4])).toBe(0));
  it('is little for one that stands out', () => expect(slope([1, 1, 9, 1, 1])).toBeCloseTo(0));
});
