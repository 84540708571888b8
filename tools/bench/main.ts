/**
 * Runs all benchmarks, one after the other, and prints their tables: `npm run bench`.
 *   --only a,b    these subjects
 *   --quick       all short, to see that it works; its figures mean little
 *   --no-peers    ours alone
 *   --json FILE   writes the tables to a file as well, from which `tools/bench/charts.ts` draws
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { root } from '../workspace.ts';
import { subjects, type BenchProgram } from './subjects.ts';
import { recordVariable, type BenchTable } from './table.ts';

const { values: options } = parseArgs({
  options: {
    only: { type: 'string' },
    quick: { type: 'boolean', default: false },
    'no-peers': { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});
const names = Object.keys(subjects);
const chosen = options.only?.split(',') ?? names;
const unknown = chosen.filter((name) => !names.includes(name));
if (unknown.length > 0) throw new Error(`No subject ${unknown.join(', ')}; there are ${names.join(', ')}`);

const folder = mkdtempSync(join(tmpdir(), 'sd-bench-'));
const record = join(folder, 'tables');
const results: { readonly subject: string; readonly command: string; readonly tables: BenchTable[] }[] = [];
const failed: string[] = [];
try {
  for (const subject of names.filter((name) => chosen.includes(name))) {
    console.log(`\n# ${subject}`);
    for (const program of subjects[subject] ?? []) run(subject, program);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (options.json !== undefined) {
  const machine = `Node ${process.version}, ${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}`;
  writeFileSync(
    options.json,
    `${JSON.stringify({ machine, at: new Date().toISOString(), results }, null, 1)}\n`,
  );
}
if (failed.length > 0) {
  console.error(`\nFailed: ${failed.join('; ')}`);
  process.exitCode = 1;
}

function run(subject: string, { file, parts }: BenchProgram): void {
  const args = [
    ...parts,
    ...(options.quick ? ['--quick'] : []),
    ...(options['no-peers'] ? ['--no-peers'] : []),
  ];
  const command = `node --expose-gc --import tsx ${[file, ...args].join(' ')}`;
  console.log(`\n$ ${command}\n`);
  rmSync(record, { force: true });
  const { status } = spawnSync(process.execPath, command.split(' ').slice(1), {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, [recordVariable]: record },
  });
  if (status !== 0) failed.push(`${subject}: ${file}`);
  const lines = existsSync(record) ? readFileSync(record, 'utf8').trim().split('\n') : [];
  results.push({ subject, command, tables: lines.map((line) => JSON.parse(line) as BenchTable) });
}
