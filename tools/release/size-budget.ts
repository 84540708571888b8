import { readFileSync } from 'node:fs';
import { kilobytes, type PackageSize } from './package-sizes.ts';

/** What a package may cost its users. */
export interface Budget {
  /** Of the tarball, in kB. */
  readonly packedKb: number;
  /** How many packages of others may come with it. */
  readonly dependencies: number;
}

export type Budgets = Readonly<Record<string, Budget>>;

export function readBudgets(): Budgets {
  return JSON.parse(readFileSync(new URL('size-budget.json', import.meta.url), 'utf8')) as Budgets;
}

type Measured = Pick<PackageSize, 'name' | 'packed'> & { readonly dependencies: readonly unknown[] };

/** One line for each limit that is exceeded, missing or of nothing. */
export function budgetProblems(sizes: readonly Measured[], budgets: Budgets): readonly string[] {
  const names = new Set(sizes.map(({ name }) => name));
  return [
    ...sizes.flatMap((size) => problemsOf(size, budgets[size.name])),
    ...Object.keys(budgets)
      .filter((name) => !names.has(name))
      .map((name) => `size-budget.json has limits for ${name}, which is not published`),
  ];
}

function problemsOf({ name, packed, dependencies }: Measured, budget: Budget | undefined): readonly string[] {
  if (budget === undefined) return [`size-budget.json has no limits for ${name}`];
  const found: string[] = [];
  if (packed > budget.packedKb * 1_000) {
    found.push(`${name} is ${kilobytes(packed)} packed, more than its ${budget.packedKb} kB`);
  }
  if (dependencies.length > budget.dependencies) {
    found.push(
      `${name} brings ${dependencies.length} packages of others, more than its ${budget.dependencies}`,
    );
  }
  return found;
}
