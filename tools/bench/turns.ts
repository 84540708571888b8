import { median } from './statistics.ts';

/**
 * Measures all of them once in each round, the other way round each second time, so that nobody always comes after the
 * same one. The first rounds, for the compiler, do not count.
 */
export async function inTurn<N, F>(
  names: readonly N[],
  { rounds, warmUps = 0 }: { readonly rounds: number; readonly warmUps?: number },
  measure: (name: N) => Promise<F>,
): Promise<ReadonlyMap<N, readonly F[]>> {
  const measured = new Map(names.map((name): [N, F[]] => [name, []]));
  for (let round = -warmUps; round < rounds; round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const figures = await measure(name);
      if (round >= 0) measured.get(name)?.push(figures);
    }
  }
  return measured;
}

/** The median of each figure. */
export function medians<K extends string>(rounds: readonly Readonly<Record<K, number>>[]): Record<K, number> {
  const names = Object.keys(rounds[0] ?? {}) as K[]; // these are its keys
  const entries = names.map((name) => [name, median(rounds.map((figures) => figures[name]))]);
  return Object.fromEntries(entries) as Record<K, number>;
}
