import { printTable } from '../../../tools/bench/table.ts';

/** What is asked of us, and whether it is so. */
export interface Bar {
  readonly what: string;
  readonly is: string;
  readonly bar: string;
  readonly ok: boolean;
}

export function printBars(title: string, bars: readonly Bar[]): void {
  printTable(
    title,
    ['', 'is', 'bar', ''],
    bars.map(({ what, is, bar, ok }) => [what, is, bar, ok ? 'ok' : 'MISSED']),
  );
}
