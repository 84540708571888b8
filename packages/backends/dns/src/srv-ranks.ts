/** The highest that an instance can have. */
const maxPriority = 1_000;
const maxWeight = 10_000;

/**
 * What RFC 2782 reserves for weight 0 beside others: a very small chance. For an instance 0 would mean none at all.
 * Where all of a priority have 0 they share alike.
 */
const verySmallChance = 0.01;

/** Priorities and weights of SRV records as those of instances: the same numbers, as long as an instance can have them. */
export function ranked<T extends { readonly priority: number; readonly weight: number }>(
  records: readonly T[],
): readonly T[] {
  const priorities = [...new Set(records.map(({ priority }) => priority))].sort(
    (left, right) => left - right,
  );
  const inRange = (priorities.at(-1) ?? 0) <= maxPriority;
  const weighted = new Set(records.filter(({ weight }) => weight > 0).map(({ priority }) => priority));
  const scale = Math.min(1, maxWeight / records.reduce((most, { weight }) => Math.max(most, weight), 1));
  const ranks = new Map(
    priorities.map((priority, rank) => [priority, inRange ? priority : Math.min(rank, maxPriority)]),
  );
  return records.map((record) => {
    const { priority, weight } = record;
    const small = weighted.has(priority) ? verySmallChance : 1;
    return { ...record, priority: ranks.get(priority) ?? 0, weight: weight === 0 ? small : weight * scale };
  });
}
