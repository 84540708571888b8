import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { markdownTable } from '../docs/section.ts';
import { root, type WorkspacePackage } from '../workspace.ts';
import { productionDependencies, type Dependency, type Lock } from './production-dependencies.ts';

export interface PackageSize {
  readonly name: string;
  /** Bytes of the tarball that npm downloads. */
  readonly packed: number;
  /** Bytes of what is in it. */
  readonly unpacked: number;
  /** Bytes of its own code, minified and gzipped, without what it imports. */
  readonly minified: number;
  /** Those of others, at any remove. */
  readonly dependencies: readonly Dependency[];
  /** Bytes of these, installed. */
  readonly installed: number;
}

/** Needs a build. Asks nothing of the network. */
export async function measureSizes(
  packages: readonly WorkspacePackage[],
  lock: Lock,
): Promise<readonly PackageSize[]> {
  const tarballs = packAll(packages);
  return Promise.all(
    packages.map(async ({ name, folder }) => {
      const tarball = tarballs.get(name);
      if (tarball === undefined) throw new Error(`npm pack says nothing of ${name}`);
      const dependencies = productionDependencies(folder, lock);
      const installed = dependencies.reduce((sum, { path }) => sum + bytesBelow(join(root, path)), 0);
      return { name, ...tarball, minified: await minifiedBytes(folder), dependencies, installed };
    }),
  );
}

export function sizeTable(sizes: readonly PackageSize[]): string {
  const head = ['package', 'packed', 'unpacked', 'minified + gzip', 'dependencies', 'installed'];
  const rows = sizes.map(({ name, packed, unpacked, minified, dependencies, installed }) => [
    `\`${name}\``,
    ...[packed, unpacked, minified].map(kilobytes),
    String(dependencies.length),
    kilobytes(installed),
  ]);
  return markdownTable([head, ...rows], true);
}

/** One line for each package of which the table says something else, by more than a tenth. */
export function outdatedSizes(
  table: string,
  sizes: readonly Pick<PackageSize, 'name' | 'packed'>[],
): readonly string[] {
  return sizes.flatMap(({ name, packed }) => {
    const [, told] = new RegExp(`\\| \`${name}\` +\\| +([\\d,]+) kB`).exec(table) ?? [];
    const bytes = 1_000 * Number(told?.replaceAll(',', ''));
    if (Math.abs(packed - bytes) <= 0.1 * packed + 1_000) return [];
    return [
      `docs/sizes.md says ${told ?? 'no'} kB of ${name}, which has ${kilobytes(packed)}: npm run sizes`,
    ];
  });
}

/** As npm counts them: a thousand bytes. */
export function kilobytes(bytes: number): string {
  return `${Math.round(bytes / 1_000).toLocaleString('en')} kB`;
}

interface Tarball {
  readonly name: string;
  readonly size: number;
  readonly unpackedSize: number;
}

function packAll(packages: readonly WorkspacePackage[]) {
  const workspaces = packages.map(({ name }) => `--workspace=${name}`);
  const args = ['pack', '--dry-run', '--json', '--ignore-scripts', '--loglevel=error', ...workspaces];
  const report = execFileSync('npm', args, { cwd: root, encoding: 'utf8', maxBuffer: 2 ** 26 });
  // A list, or since npm 12 an object.
  const tarballs = Object.values(JSON.parse(report) as Record<string, Tarball>);
  return new Map(
    tarballs.map(({ name, size: packed, unpackedSize: unpacked }) => [name, { packed, unpacked }]),
  );
}

async function minifiedBytes(folder: string): Promise<number> {
  const { outputFiles } = await build({
    entryPoints: [join(root, folder, 'dist/index.js')],
    bundle: true,
    packages: 'external',
    platform: 'node',
    format: 'esm',
    target: 'node20',
    minify: true,
    write: false,
  });
  return outputFiles.reduce((sum, { contents }) => sum + gzipSync(contents).length, 0);
}

/** Without the packages inside it, which are counted by themselves. What is for other platforms is not there. */
function bytesBelow(folder: string): number {
  if (!existsSync(folder)) return 0;
  return readdirSync(folder, { withFileTypes: true })
    .filter(({ name }) => name !== 'node_modules')
    .map((entry) => {
      const path = join(folder, entry.name);
      return entry.isDirectory() ? bytesBelow(path) : statSync(path).size;
    })
    .reduce((sum, bytes) => sum + bytes, 0);
}
