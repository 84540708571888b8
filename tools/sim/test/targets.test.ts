import { describe, expect, it } from 'vitest';
import { scenarios } from '../scenarios/index.ts';

const seeds = [1, 2, 3];

describe.each(scenarios)('$id: $title', ({ contestants, target }) => {
  const ours = contestants.filter(({ isOurs }) => isOurs);

  it.each(ours)(`$name reaches ${target}`, async (contestant) => {
    for (const seed of seeds) {
      const { missed } = await contestant.run(seed);
      expect(missed, `seed ${seed}`).toEqual([]);
    }
  });

  it.each(ours)('$name does the same with the same seed, each time', async (contestant) => {
    const runs = await Promise.all([contestant.run(1), contestant.run(1), contestant.run(1)]);
    expect(runs[1]).toEqual(runs[0]);
    expect(runs[2]).toEqual(runs[0]);
    expect((await contestant.run(2)).figures).not.toEqual(runs[0].figures);
  });
});
