/** Prints a Markdown table: the first column is text, the others are figures. */
export function printTable(
  title: string,
  heads: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const widths = heads.map((head, column) =>
    Math.max(4, ...[head, ...rows.map((row) => row[column] ?? '')].map(length)),
  );
  const print = (cells: readonly string[]): void => console.log(`| ${cells.join(' | ')} |`);
  const pad = (cell: string, column: number): string =>
    column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0);
  console.log(`\n## ${title}\n`);
  print(heads.map(pad));
  print(widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)));
  for (const row of rows) print(row.map(pad));
}

const length = (text: string): number => text.length;

/** Three digits that count, and all before the point. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}

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
