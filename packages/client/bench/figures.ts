/** Rounded down, so that 100 % is all. */
export function percent(share: number, digits = 2): string {
  if (!Number.isFinite(share)) return '-';
  return `${(Math.floor(share * 100 * 10 ** digits + 1e-9) / 10 ** digits).toFixed(digits)} %`;
}

/** How often each occurred, the most frequent first. */
export function tally(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  const sorted = [...counts].sort(([, left], [, right]) => right - left);
  return sorted.map(([name, count]) => `${name} x ${count}`).join(', ');
}
