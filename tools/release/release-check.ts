// Whether each package stays within its limits of size and dependencies (size-budget.json), and whether the licences of
// what comes with them are allowed and all in docs/licences.md, and whether docs/sizes.md is about right. With --write brings docs/sizes.md and docs/licences.md up
// to date. Needs a build and no network.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withSection } from '../docs/section.ts';
import { publishedPackages, root } from '../workspace.ts';
import { licenceProblems, licenceTable } from './licences.ts';
import { measureSizes, outdatedSizes, sizeTable, type PackageSize } from './package-sizes.ts';
import { readLock, type Dependency } from './production-dependencies.ts';
import { budgetProblems, readBudgets } from './size-budget.ts';

const packages = [...publishedPackages()].sort((a, b) => (a.name < b.name ? -1 : 1));
const sizes = await measureSizes(packages, readLock());
const users = usersOfDependencies(sizes);
const licences = await withSection('docs/licences.md', 'licences', licenceTable(users));

if (process.argv.includes('--write')) {
  writeFileSync(join(root, 'docs/licences.md'), licences);
  writeFileSync(join(root, 'docs/sizes.md'), await withSection('docs/sizes.md', 'sizes', sizeTable(sizes)));
}

const problems = [
  ...budgetProblems(sizes, readBudgets()),
  ...outdatedSizes(readFileSync(join(root, 'docs/sizes.md'), 'utf8'), sizes),
  ...licenceProblems([...users.keys()]),
];
if (readFileSync(join(root, 'docs/licences.md'), 'utf8') !== licences) {
  problems.push('docs/licences.md is out of date: npm run sizes writes it');
}
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;

function usersOfDependencies(all: readonly PackageSize[]): ReadonlyMap<Dependency, readonly string[]> {
  const byPath = new Map<string, { dependency: Dependency; users: string[] }>();
  for (const { name, dependencies } of all) {
    for (const dependency of dependencies) {
      const known = byPath.get(dependency.path);
      if (known) known.users.push(name);
      else byPath.set(dependency.path, { dependency, users: [name] });
    }
  }
  const rows = [...byPath.values()].sort((a, b) => (a.dependency.name < b.dependency.name ? -1 : 1));
  return new Map(rows.map(({ dependency, users }) => [dependency, users]));
}
