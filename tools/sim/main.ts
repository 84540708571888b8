/**
 * Runs scenarios and prints what came of them, a table in Markdown for each. Fails when ours missed a target.
 *   --only S2     this scenario; may be given more than once
 *   --svg FOLDER  also a chart of latency over time for each scenario that has one
 *   --quick       with one seed, to see that it works
 *   --no-peers    ours alone
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { printMachine, printTable } from '../bench/table.ts';
import { chart } from './chart.ts';
import { scenarios } from './scenarios/index.ts';
import { cellsOf, missed, type Performance } from './performance.ts';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string', multiple: true },
    svg: { type: 'string' },
    quick: { type: 'boolean', default: false },
    'no-peers': { type: 'boolean', default: false },
  },
});
const chosen = scenarios.filter(({ id }) => options.only?.includes(id) ?? true);
const unknown = options.only?.filter((id) => !scenarios.some((scenario) => scenario.id === id)) ?? [];
if (unknown.length > 0) {
  throw new Error(`No scenario ${unknown.join(', ')}; there are ${scenarios.map(({ id }) => id).join(', ')}`);
}

const seeds = options.quick ? [1] : [1, 2, 3];
const performances: Performance[] = [];
printMachine();
for (const scenario of chosen) {
  const rows: (readonly string[])[] = [];
  for (const contestant of scenario.contestants) {
    if (options['no-peers'] && !contestant.isOurs) continue;
    const results = [];
    for (const seed of seeds) results.push(await contestant.run(seed));
    const performance = { scenario, contestant, results };
    performances.push(performance);
    rows.push(cellsOf(performance));
  }
  const { id, title, target } = scenario;
  printTable(`${id}: ${title}`, ['contestant', 'figures (median)', target], rows);
}

if (options.svg !== undefined) {
  await mkdir(options.svg, { recursive: true });
  for (const { id, title } of chosen) {
    const lines = performances.flatMap(({ scenario, contestant: { name, isOurs }, results: [first] }) =>
      scenario.id === id && first?.series !== undefined ? [{ name, isOurs, points: first.series }] : [],
    );
    if (lines.length === 0) continue;
    await writeFile(join(options.svg, `${id.toLowerCase()}.svg`), chart(`${id}: ${title}`, lines));
  }
}

if (performances.some((performance) => performance.contestant.isOurs && missed(performance) !== undefined)) {
  process.exitCode = 1;
}
