import { appendFileSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';

type Cell = string | number;

/** A table as it was printed. */
export interface BenchTable {
  readonly title: string;
  readonly heads: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

/** A file that gets each printed table as a line of JSON: how `npm run bench` gathers what its programs print. */
export const recordVariable = 'SD_BENCH_RECORD';

/** Prints a Markdown table: the first column is text, the others are figures, unless none of their cells is one. */
export function printTable(
  title: string,
  heads: readonly string[],
  rows: readonly (readonly Cell[])[],
): void {
  const texts = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? figure(cell) : cell)));
  const widths = heads.map((head, column) =>
    Math.max(4, head.length, ...texts.map((row) => (row[column] ?? '').length)),
  );
  const isText = heads.map(
    (_, column) => column === 0 || !texts.some((row) => /^\W{0,2}\d/.test(row[column] ?? '')),
  );
  const line = (cells: readonly string[]): string =>
    `| ${widths.map((width, column) => pad(cells[column] ?? '', width, isText[column])).join(' | ')} |`;
  console.log(`\n## ${title}\n`);
  console.log(line(heads));
  console.log(
    line(widths.map((width, column) => (isText[column] ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))),
  );
  for (const row of texts) console.log(line(row));
  const record = process.env[recordVariable];
  const table: BenchTable = { title, heads, rows: texts };
  if (record !== undefined) appendFileSync(record, `${JSON.stringify(table)}\n`);
}

/** What figures are of. @param about what else matters, e.g. the server's version */
export function printMachine(...about: readonly string[]): void {
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}`;
  const load = `load ${(loadavg()[0] ?? 0).toFixed(1)} before`;
  console.log([`Node ${process.version}`, machine, load, ...about].join(', '));
}

/** Whole from 100; below, with two or three digits that count. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '-';
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString('en');
  if (Number.isInteger(value)) return String(value);
  return value.toFixed(Math.abs(value) < 10 ? 2 : 1);
}

function pad(cell: string, width: number, isText = false): string {
  return isText ? cell.padEnd(width) : cell.padStart(width);
}
