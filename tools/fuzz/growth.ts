import { corpusOf, problemOf } from './corpus.ts';
import { enlargements } from './enlarge.ts';
import { maxInputLength } from './mutate.ts';
import type { FuzzTarget } from './target.ts';

export interface Growth {
  /** Of which input, and how it was made longer. */
  readonly what: string;
  /** For the longer of two inputs, of 16 KB, in milliseconds. */
  readonly ms: number;
  /** By how much more the time has grown than the input: 1 is linear, 8 is quadratic. */
  readonly excess: number;
}

/** About so much longer is the longer input. */
const factor = 8;

/** What takes less is not told from noise, in milliseconds. */
const leastMs = 4;

/** So much may be noise, a collection of garbage, or memory that is further away. */
const mostExcess = 3;

/** What takes a time that grows faster than its input, steepest first. @param now in milliseconds */
export async function growthOf(
  target: FuzzTarget,
  now = (): number => performance.now(),
): Promise<{ readonly tried: number; readonly steep: readonly Growth[] }> {
  const steep: Growth[] = [];
  let tried = 0;
  for (const { name, input } of corpusOf(target)) {
    for (const enlargement of enlargements(target, input)) {
      tried += 1;
      const long = enlargement.to(maxInputLength);
      const ms = await leastTime(target, long, now);
      if (ms < leastMs) continue;
      const short = enlargement.to(maxInputLength / factor);
      const excess = ms / (await leastTime(target, short, now)) / (long.length / short.length);
      if (excess > mostExcess) steep.push({ what: `${name}, ${enlargement.how}`, ms, excess });
    }
  }
  return { tried, steep: steep.sort((left, right) => right.excess - left.excess) };
}

/** Of three runs. What it throws is for the search to find. */
async function leastTime(target: FuzzTarget, input: Buffer, now: () => number): Promise<number> {
  let least = Infinity;
  for (let run = 0; run < 3; run += 1) {
    const startedAt = now();
    await problemOf(target, input);
    least = Math.min(least, now() - startedAt);
  }
  return least;
}
