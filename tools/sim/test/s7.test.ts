import { describe, expect, it } from 'vitest';
import { retryStorm } from '../scenarios/s7-retry-storm.ts';

describe('S7', () => {
  it('never ends for a loop of naive retries', async () => {
    const { figures } = await run('3 naive retries');
    expect(figures['attempts per call that is not refused']).toBeGreaterThan(3);
    expect(figures['errors before, %']).toBe(0);
    expect(figures['recovered after, s']).toBe(Infinity);
  });

  it('ends without a bound on attempts in flight too, as retries are paid from a budget', async () => {
    const { figures } = await run('budget alone');
    expect(figures['recovered after, s']).toBeLessThan(5);
  });
});

async function run(name: string): Promise<{ readonly figures: Readonly<Record<string, number>> }> {
  const contestant = retryStorm.contestants.find((each) => each.name === name);
  if (contestant === undefined) throw new Error(`S7 has no contestant "${name}"`);
  return contestant.run(1);
}
