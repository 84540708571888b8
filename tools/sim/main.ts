/**
 * Runs scenarios and prints what came of them, one table in Markdown. Fails when ours missed a target.
 *   --only S2     this scenario; may be given more than once
 *   --svg FOLDER  also a chart of latency over time for each scenario that has one
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { chart } from './chart.ts';
import { scenarios } from './scenarios/index.ts';
import { missed, table, type Performance } from './table.ts';

const { values: options } = parseArgs({
  options: { only: { type: 'string', multiple: true }, svg: { type: 'string' } },
});
const chosen = scenarios.filter(({ id }) => options.only?.includes(id) ?? true);
const unknown = options.only?.filter((id) => !scenarios.some((scenario) => scenario.id === id)) ?? [];
if (unknown.length > 0) {
  throw new Error(`No scenario ${unknown.join(', ')}; there are ${scenarios.map(({ id }) => id).join(', ')}`);
}

const performances: Performance[] = [];
for (const scenario of chosen) {
  for (const contestant of scenario.contestants) {
    const results = [];
    for (const seed of [1, 2, 3]) results.push(await contestant.run(seed));
    performances.push({ scenario, contestant, results });
  }
}
console.log(table(performances));

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
