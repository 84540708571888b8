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

/** With which power of the size a cost grows: the slope of a straight line through the logarithms, by least squares. */
export function growth(sizes: readonly number[], costs: readonly number[]): number {
  const points = sizes.map((size, place) => [Math.log(size), Math.log(costs[place] ?? Number.NaN)] as const);
  const mean = (of: 0 | 1): number => points.reduce((sum, point) => sum + point[of], 0) / points.length;
  const [meanX, meanY] = [mean(0), mean(1)];
  const covariance = points.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0);
  return covariance / points.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
}
