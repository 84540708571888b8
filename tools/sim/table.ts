import type { Contestant, Scenario, ScenarioResult } from './scenario.ts';

/** What a contestant did with each seed. */
export interface Performance {
  readonly scenario: Scenario;
  readonly contestant: Contestant;
  readonly results: readonly ScenarioResult[];
}

/** One table in Markdown over all scenarios: medians over the seeds; ours in bold. */
export function table(performances: readonly Performance[]): string {
  const rows = performances.flatMap((performance, place) => {
    const { id, title, target } = performance.scenario;
    const opens = performances[place - 1]?.scenario !== performance.scenario;
    return [...(opens ? [[`**${id}**`, `_${title}_`, '', `_${target}_`]] : []), cells(performance)];
  });
  return aligned([['', 'contestant', 'figures (median)', 'target'], ...rows]);
}

/** What was missed, with any seed; undefined when all were met with all. */
export function missed({ results }: Performance): string | undefined {
  const misses = results.filter((result) => result.missed.length > 0);
  const [worst] = misses.toSorted((one, other) => other.missed.length - one.missed.length);
  if (worst === undefined) return undefined;
  const seeds = misses.length === results.length ? '' : ` (${misses.length} of ${results.length} seeds)`;
  return worst.missed.join('; ') + seeds;
}

function cells(performance: Performance): readonly string[] {
  const { scenario, contestant, results } = performance;
  const name = contestant.isOurs ? `**${contestant.name}**` : contestant.name;
  const figures = Object.keys(results[0]?.figures ?? {}).map((figure) =>
    withUnit(figure, median(results.map((result) => result.figures[figure] ?? Number.NaN))),
  );
  const miss = missed(performance);
  return [scenario.id, name, figures.join(', '), miss === undefined ? 'met' : `missed: ${miss}`];
}

/** `p99, ms` and 94.6 is `p99 94.6 ms`. */
function withUnit(figure: string, value: number): string {
  const comma = figure.lastIndexOf(', ');
  const [name, unit] = comma < 0 ? [figure, ''] : [figure.slice(0, comma), ` ${figure.slice(comma + 2)}`];
  return `${name} ${Number(value.toFixed(Math.abs(value) < 100 ? 2 : 0))}${unit}`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[sorted.length >> 1] ?? Number.NaN;
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_cell, column) =>
    rows.reduce((widest, row) => Math.max(widest, row[column]?.length ?? 0), 3),
  );
  const [head, ...body] = rows.map(
    (row) => `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`,
  );
  return [head, `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...body].join('\n');
}
