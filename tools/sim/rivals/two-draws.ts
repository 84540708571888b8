import type { Rng } from '@sd/core';

/** Two members drawn by equal chances, different ones where there are two; undefined when there is nobody. */
export function twoOf<Member>(members: readonly Member[], rng: Rng): readonly [Member, Member] | undefined {
  const place = Math.floor(rng() * members.length);
  const first = members[place];
  if (first === undefined) return undefined;
  const other = Math.floor(rng() * (members.length - 1));
  return [first, members[other < place ? other : other + 1] ?? first];
}
