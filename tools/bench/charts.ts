/**
 * Draws the charts of the README from the tables that `npm run bench -- --json FILE` has written, and says there what they
 * are of: `node --import tsx tools/bench/charts.ts FILE`.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../workspace.ts';
import { barChart, spanChart } from './chart.ts';
import type { BenchTable } from './table.ts';

interface BenchResults {
  readonly machine: string;
  readonly at: string;
  readonly results: readonly { readonly subject: string; readonly tables: readonly BenchTable[] }[];
}

const [file = ''] = process.argv.slice(2);
const { machine, at, results } = JSON.parse(readFileSync(file, 'utf8')) as BenchResults;
const folder = join(root, 'docs/charts');
mkdirSync(folder, { recursive: true });

const picks = tableOf('pick', 'Pick: ');
const [fewest = '', most = ''] = [picks.heads[1], picks.heads.at(-2)];
const charts = [
  {
    name: 'pick',
    subject: 'pick',
    alt: 'CPU time of a pick among few and among many instances',
    svg: spanChart(
      `A pick, CPU ns (log): from ${fewest} to ${most}`,
      rowsOf(picks, (name) => !name.includes(' '), fewest, most).filter(({ name }) => !name.includes(',')),
    ),
  },
  {
    name: 'calls',
    subject: 'calls',
    alt: 'Calls a second of HTTP clients',
    svg: barChart(
      'Calls a second over HTTP, 3 instances, each call with a time limit',
      rowsOf(tableOf('calls', 'Overhead'), isSd, 'calls/s'),
    ),
  },
  {
    name: 'faults',
    subject: 'faults',
    alt: 'Calls that succeed while one of three instances hangs',
    svg: barChart(
      'Calls that succeed while one of three instances hangs, %',
      rowsOf(tableOf('faults', 'One of three hang'), isSd, 'success'),
    ),
  },
];
for (const { name, svg } of charts) writeFileSync(join(folder, `${name}.svg`), svg);
const text = [
  ...charts.map(({ name, alt }) => `![${alt}](docs/charts/${name}.svg)`),
  `${machine}, ${at.slice(0, 10)}. \`npm run bench -- --only ${charts.map(({ subject }) => subject).join(',')}\` measures them again, with all else in the tables.`,
].join('\n\n');
const readme = join(root, 'README.md');
writeFileSync(
  readme,
  readFileSync(readme, 'utf8').replace(
    /<!-- charts -->[^]*<!-- \/charts -->/,
    () => `<!-- charts -->\n\n${text}\n\n<!-- /charts -->`,
  ),
);

function isSd(name: string): boolean {
  return name.startsWith('sd');
}

function tableOf(subject: string, title: string): BenchTable {
  const tables = results.filter((result) => result.subject === subject).flatMap((result) => result.tables);
  const found = tables.find((table) => table.title.startsWith(title));
  if (found === undefined) throw new Error(`${file} has no table "${title}" of ${subject}`);
  return found;
}

/** Those that have a figure in each of the columns. */
function rowsOf(
  { heads, rows }: BenchTable,
  isOurs: (name: string) => boolean,
  ...columns: readonly string[]
) {
  const places = columns.map((column) => heads.indexOf(column));
  return rows
    .map((row) => ({
      name: row[0] ?? '',
      isOurs: isOurs(row[0] ?? ''),
      values: places.map((place) => Number.parseFloat((row[place] ?? '').replaceAll(',', ''))),
    }))
    .filter(({ values }) => values.every(Number.isFinite));
}
