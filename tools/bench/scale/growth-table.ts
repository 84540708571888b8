import { isQuick } from '../command-line.ts';
import { growth } from '../statistics.ts';
import { figure, printTable } from '../table.ts';
import { medians } from '../turns.ts';

export const scaleRounds = isQuick ? 1 : 3;

/** Prints the medians of each size side by side, and with which power of the size they grow. */
export function printGrowth(
  title: string,
  what: string,
  measured: ReadonlyMap<number, readonly Readonly<Record<string, number>>[]>,
): void {
  const [sizes, columns] = [[...measured.keys()], Array.from(measured.values(), medians)];
  const rows = Object.keys(columns[0] ?? {}).map((name) => {
    const values = columns.map((column) => column[name] ?? Number.NaN);
    return [name, ...values.map(figure), powerOf(growth(sizes, values))];
  });
  printTable(
    `${title}: medians of ${scaleRounds} rounds`,
    [what, ...sizes.map((size) => size.toLocaleString('en')), 'grows as'],
    rows,
  );
}

const powerOf = (power: number): string => (Number.isFinite(power) ? `n^${power.toFixed(2)}` : '-');
