import { growth } from '../statistics.ts';
import { figure, printTable } from '../table.ts';

/** Prints the figures of each size side by side, and with which power of the size they grow. */
export function printGrowth(
  title: string,
  what: string,
  sizes: readonly number[],
  columns: readonly Readonly<Record<string, number>>[],
): void {
  const rows = Object.keys(columns[0] ?? {}).map((name) => {
    const values = columns.map((column) => column[name] ?? Number.NaN);
    return [name, ...values.map(figure), powerOf(growth(sizes, values))];
  });
  printTable(title, [what, ...sizes.map((size) => size.toLocaleString('en')), 'grows as'], rows);
}

const powerOf = (power: number): string => (Number.isFinite(power) ? `n^${power.toFixed(2)}` : '-');
