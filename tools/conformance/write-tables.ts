// Runs the conformance suite of a backend (npm run conformance -- redis) and writes what came of it into its README.
// Exits with 1 if a case failed.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { format, resolveConfig } from 'prettier';
import { root } from '../workspace.ts';
import { conformanceTable, type TestReport } from './conformance-table.ts';

const [backend = 'redis'] = process.argv.slice(2);
const report = join(root, '.tmp', `conformance-${backend}.json`);
mkdirSync(join(root, '.tmp'), { recursive: true });

const { status } = spawnSync(
  'npx',
  [
    ...['vitest', 'run', '--project', `@sd/${backend}`, '-t', 'keeps the contract of a backend'],
    ...['--reporter=default', '--reporter=json', `--outputFile.json=${report}`],
  ],
  { cwd: root, stdio: 'inherit' },
);
const results = JSON.parse(readFileSync(report, 'utf8')) as TestReport;
await replaceTable(`packages/backends/${backend}/README.md`, conformanceTable(results));
process.exitCode = status ?? 1;

/** Between the two comments that say `conformance`. */
async function replaceTable(file: string, table: string): Promise<void> {
  const path = join(root, file);
  const text = readFileSync(path, 'utf8');
  const parts = /^([\s\S]*<!-- conformance -->\n)[\s\S]*(<!-- \/conformance -->[\s\S]*)$/.exec(text);
  if (parts === null)
    throw new Error(`${file} has no place for the table: <!-- conformance --> … <!-- /conformance -->`);
  const config = await resolveConfig(path);
  const next = `${parts[1] ?? ''}\n${table}\n\n${parts[2] ?? ''}`;
  writeFileSync(path, await format(next, { ...config, filepath: path }));
}
