import { markdownTable } from '../docs/section.ts';
import type { Dependency } from './production-dependencies.ts';

/** Those that ask for nothing but that their text and the names of the authors stay with the code. */
const allowed = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'MIT-0',
  'Python-2.0',
  'Unlicense',
  'Zlib',
]);

/** One line for each dependency that may not be shipped. */
export function licenceProblems(dependencies: readonly Dependency[]): readonly string[] {
  return dependencies
    .filter(({ licence }) => !isAllowed(licence))
    .map(
      ({ name, version, licence }) =>
        `${name}@${version} has the licence ${licence}, which is not among the allowed ones (tools/release/licences.ts)`,
    );
}

/** Understands `A OR B` and `A AND B` of SPDX, with parentheses around the whole; anything more is for a person to read. */
export function isAllowed(expression: string): boolean {
  const plain = expression.replace(/^\((.*)\)$/, '$1');
  if (plain.includes(' OR ')) return !/[()]/.test(plain) && plain.split(' OR ').some(allAllowed);
  return allAllowed(plain);
}

function allAllowed(expression: string): boolean {
  return expression.split(' AND ').every((licence) => allowed.has(licence));
}

export const peersIntroduction = [
  '## Peers',
  'These are yours, in the version that you choose: what some packages work with, and what that brings along, as package-lock.json has it. Optional peers (`@kubernetes/client-node`) are left out.',
].join('\n\n');

/** A table of docs/licences.md. `users` are those of our packages that each dependency comes with. */
export function licenceTable(dependencies: ReadonlyMap<Dependency, readonly string[]>): string {
  const rows = Array.from(dependencies, ([{ name, version, licence }, users]) => [
    `${name} ${version}`,
    licence,
    users.map((user) => `\`${user}\``).join(', '),
  ]);
  return markdownTable([['package', 'licence', 'comes with'], ...rows]);
}
