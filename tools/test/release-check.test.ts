import { expect, it } from 'vitest';
import { isAllowed, licenceProblems } from '../release/licences.ts';
import { outdatedSizes } from '../release/package-sizes.ts';
import { productionDependencies, type Lock } from '../release/production-dependencies.ts';
import { budgetProblems, readBudgets } from '../release/size-budget.ts';
import { publishedPackages } from '../workspace.ts';

const dependencies = (count: number): readonly unknown[] => Array.from({ length: count });

it('fails a package that exceeds its limits, or has none', () => {
  const budgets = { '@sd/a': { packedKb: 10, dependencies: 2 } };
  const problems = (packed: number, count: number, name = '@sd/a') =>
    budgetProblems([{ name, packed, dependencies: dependencies(count) }], budgets);

  expect(problems(10_000, 2)).toEqual([]);
  expect(problems(10_600, 2)).toEqual(['@sd/a is 11 kB packed, more than its 10 kB']);
  expect(problems(10_000, 3)).toEqual(['@sd/a brings 3 packages of others, more than its 2']);
  expect(problems(1, 0, '@sd/b')).toEqual([
    'size-budget.json has no limits for @sd/b',
    'size-budget.json has limits for @sd/a, which is not published',
  ]);
});

it('fails where the table of sizes is more than a tenth off', () => {
  const table = '| `@sd/a` | 1,000 kB | 2 kB |\n| `@sd/ab` | 7 kB | 2 kB |';
  const problems = (packed: number, name = '@sd/a') => outdatedSizes(table, [{ name, packed }]);

  expect(problems(1_050_000)).toEqual([]);
  expect(problems(7_000, '@sd/ab')).toEqual([]);
  expect(problems(1_200_000)).toEqual([
    'docs/sizes.md says 1,000 kB of @sd/a, which has 1,200 kB: npm run sizes',
  ]);
  expect(problems(5_000, '@sd/c')).toEqual([
    'docs/sizes.md says no kB of @sd/c, which has 5 kB: npm run sizes',
  ]);
});

it('has limits for every published package', () => {
  const names = publishedPackages().map(({ name }) => name);
  expect(Object.keys(readBudgets()).sort()).toEqual([...names].sort());
});

it('allows permissive licences alone', () => {
  const allowed = ['MIT', '(MIT OR GPL-3.0)', 'MIT AND BSD-3-Clause', 'Apache-2.0', 'BlueOak-1.0.0'];
  const others = ['GPL-3.0', 'MPL-2.0', 'MIT AND GPL-3.0', 'SEE LICENSE IN x', 'unknown', '(MIT OR (ISC))'];
  expect(allowed.filter((licence) => !isAllowed(licence))).toEqual([]);
  expect(others.filter(isAllowed)).toEqual([]);
  expect(licenceProblems([{ name: 'a', version: '1.0.0', licence: 'GPL-3.0', path: '' }])).toEqual([
    expect.stringContaining('a@1.0.0 has the licence GPL-3.0'),
  ]);
});

it('counts what npm installs with a package, each at the place where Node finds it', () => {
  const lock: Lock = {
    'packages/a': {
      dependencies: { '@sd/b': '^1.0.0', one: '^1.0.0' },
      peerDependencies: { theirs: '^1.0.0' },
    },
    'packages/b': { dependencies: { one: '^2.0.0' }, optionalDependencies: { absent: '^1.0.0' } },
    'packages/b/node_modules/one': { version: '2.0.0', license: 'ISC' },
    'node_modules/@sd/b': { resolved: 'packages/b', link: true },
    'node_modules/one': { version: '1.0.0', license: 'MIT', peerDependencies: { two: '^1.0.0' } },
    'node_modules/theirs': { version: '1.0.0', license: 'MIT' },
    'node_modules/two': { version: '1.0.0' },
  };
  const found = (options?: { withPeers: boolean }) =>
    productionDependencies('packages/a', lock, options).map(
      ({ name, version, licence }) => `${name}@${version} ${licence}`,
    );
  expect(found()).toEqual(['one@1.0.0 MIT', 'one@2.0.0 ISC', 'two@1.0.0 unknown']);
  expect(found({ withPeers: true })).toEqual([
    'one@1.0.0 MIT',
    'one@2.0.0 ISC',
    'theirs@1.0.0 MIT',
    'two@1.0.0 unknown',
  ]);
  expect(() => productionDependencies('packages/a', { 'packages/a': { dependencies: { x: '1' } } })).toThrow(
    'package-lock.json lacks x, which packages/a depends on',
  );
});
