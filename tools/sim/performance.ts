import type { Contestant, Scenario, ScenarioResult } from './scenario.ts';

/** What a contestant did with each seed. */
export interface Performance {
  readonly scenario: Scenario;
  readonly contestant: Contestant;
  readonly results: readonly ScenarioResult[];
}

/** What was missed, with any seed; undefined when all were met with all. */
export function missed({ results }: Performance): string | undefined {
  const misses = results.filter((result) => result.missed.length > 0);
  const [worst] = misses.toSorted((one, other) => other.missed.length - one.missed.length);
  if (worst === undefined) return undefined;
  const seeds = misses.length === results.length ? '' : ` (${misses.length} of ${results.length} seeds)`;
  return worst.missed.join('; ') + seeds;
}

/** For a table: its name, in bold if it is ours, its figures, the medians over the seeds, and whether it met the target. */
export function cellsOf(performance: Performance): readonly string[] {
  const { contestant, results } = performance;
  const name = contestant.isOurs ? `**${contestant.name}**` : contestant.name;
  const figures = Object.keys(results[0]?.figures ?? {}).map((figure) =>
    withUnit(figure, median(results.map((result) => result.figures[figure] ?? Number.NaN))),
  );
  const miss = missed(performance);
  return [name, figures.join(', '), miss === undefined ? 'met' : `missed: ${miss}`];
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
