// Runs the conformance suite of a backend (npm run conformance -- redis) and writes what came of it into its README.
// Exits with 1 if a case failed.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withSection } from '../docs/section.ts';
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
const readme = `packages/backends/${backend}/README.md`;
writeFileSync(join(root, readme), await withSection(readme, 'conformance', conformanceTable(results)));
process.exitCode = status ?? 1;
