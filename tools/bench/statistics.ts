export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** 0 to 1; NaN of nothing. */
export function shareOf<T>(list: readonly T[], is: (item: T) => boolean): number {
  return list.filter(is).length / list.length;
}

/** Those that began in [from, to). */
export function between<T extends { readonly at: number }>(
  list: readonly T[],
  from: number,
  to: number,
): T[] {
  return list.filter(({ at }) => at >= from && at < to);
}
