// Whether each package stays within its limits of size and dependencies (size-budget.json), whether the licences of what
// comes with them are allowed, whether docs/licences.md has them all, and those of peers, and whether docs/sizes.md is
// about right. With --write brings docs/sizes.md and docs/licences.md up to date. Needs a build and no network.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { withSection } from '../docs/section.ts';
import { publishedPackages, root, type WorkspacePackage } from '../workspace.ts';
import { licenceProblems, licenceTable, peersIntroduction } from './licences.ts';
import { measureSizes, outdatedSizes, sizeTable, type PackageSize } from './package-sizes.ts';
import { productionDependencies, readLock, type Dependency } from './production-dependencies.ts';
import { budgetProblems, readBudgets } from './size-budget.ts';

const packages = [...publishedPackages()].sort((a, b) => (a.name < b.name ? -1 : 1));
const lock = readLock();
const sizes = await measureSizes(packages, lock);
const users = usersOfDependencies(sizes);
const peers = usersOfDependencies(packages.map(withPeersAlone));
const licences = await withSection(
  'docs/licences.md',
  'licences',
  [licenceTable(users), peersIntroduction, licenceTable(peers)].join('\n\n'),
);

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

/** What the peers of a package are and bring, without what comes with it anyway. */
function withPeersAlone({ name, folder }: WorkspacePackage): Pick<PackageSize, 'name' | 'dependencies'> {
  const own = new Set(productionDependencies(folder, lock).map(({ path }) => path));
  const all = productionDependencies(folder, lock, { withPeers: true });
  return { name, dependencies: all.filter(({ path }) => !own.has(path)) };
}

function usersOfDependencies(
  all: readonly Pick<PackageSize, 'name' | 'dependencies'>[],
): ReadonlyMap<Dependency, readonly string[]> {
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
