import { countsOf } from './report.ts';
import type { RunResult } from './run.ts';

/** What came of all runs, by store, in Markdown. */
export function table(results: readonly RunResult[]): string {
  const stores = [...new Set(results.map(({ store }) => store))];
  const rows = stores.map((store) =>
    rowOf(
      store,
      results.filter((result) => result.store === store),
    ),
  );
  const all = stores.length > 1 ? [rowOf('all', results)] : [];
  return aligned([
    ['store', 'runs', 'broken', 'too busy', 'faults', 'calls', 'failed', 's a run'],
    ...rows,
    ...all,
  ]);
}

function rowOf(name: string, results: readonly RunResult[]): readonly string[] {
  const counts = results.map(({ history }) => countsOf(history));
  const sum = (of: (count: (typeof counts)[number]) => number): string =>
    String(counts.reduce((total, count) => total + of(count), 0));
  const tookMs = results.reduce((total, result) => total + result.tookMs, 0) / results.length;
  return [
    name,
    String(results.length),
    String(results.filter(({ violations }) => violations.length > 0).length),
    String(results.filter(({ doubtful }) => doubtful.length > 0).length),
    sum(({ faults }) => faults.length),
    sum(({ calls }) => calls),
    sum(({ failed }) => failed),
    (tookMs / 1_000).toFixed(1),
  ];
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const [head, ...body] = rows.map(
    (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`,
  );
  return [head, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...body].join('\n');
}
