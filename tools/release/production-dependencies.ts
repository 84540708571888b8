import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../workspace.ts';

/** A package of others that npm installs with one of ours, as package-lock.json has it. */
export interface Dependency {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression, or `unknown`. */
  readonly licence: string;
  /** Relative to the root: `node_modules/got`. */
  readonly path: string;
}

/** What package-lock.json says of a package. */
export interface Locked {
  readonly version?: string;
  readonly license?: string;
  /** Of a link, the folder in the workspace. */
  readonly resolved?: string;
  readonly link?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>;
}

export type Lock = Readonly<Record<string, Locked>>;

export function readLock(): Lock {
  const { packages } = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Lock;
  };
  return packages;
}

/**
 * What a user installs with the package in `folder`, at any remove, our own packages apart. A peer of ours is the user's
 * choice and does not count unless it is asked for; a peer of others comes with them, as npm installs it.
 */
export function productionDependencies(
  folder: string,
  lock: Lock,
  { withPeers = false }: { readonly withPeers?: boolean } = {},
): readonly Dependency[] {
  const found = new Map<string, Dependency>();
  const visited = new Set<string>();
  visit(folder);
  return [...found.values()].sort((a, b) => compare(a.name, b.name) || compare(a.version, b.version));

  function visit(path: string): void {
    if (visited.has(path)) return;
    visited.add(path);
    const locked = lock[path] ?? {};
    const isOurs = !path.includes('node_modules/');
    if (!isOurs) found.set(path, dependency(path, locked));
    for (const [name, isOptional] of wantedBy(locked, withPeers || !isOurs)) {
      const target = resolve(name, path, lock);
      if (target !== undefined) visit(target);
      else if (!isOptional) throw new Error(`package-lock.json lacks ${name}, which ${path} depends on`);
    }
  }
}

function wantedBy(locked: Locked, withPeers: boolean): readonly (readonly [string, boolean])[] {
  const names = (group: object = {}): readonly string[] => Object.keys(group);
  const { dependencies, optionalDependencies, peerDependencies, peerDependenciesMeta = {} } = locked;
  const peers = withPeers
    ? names(peerDependencies).filter((name) => peerDependenciesMeta[name]?.optional !== true)
    : [];
  return [
    ...[...names(dependencies), ...peers].map((name) => [name, false] as const),
    ...names(optionalDependencies).map((name) => [name, true] as const),
  ];
}

/** Where Node finds a package that the one at `from` imports: in it, or in a folder above. */
function resolve(name: string, from: string, lock: Lock): string | undefined {
  for (let folder = from; ; folder = folder.slice(0, Math.max(0, folder.lastIndexOf('/')))) {
    const path = folder === '' ? `node_modules/${name}` : `${folder}/node_modules/${name}`;
    const locked = lock[path];
    if (locked !== undefined) return locked.link === true ? (locked.resolved ?? path) : path;
    if (folder === '') return undefined;
  }
}

function dependency(path: string, { version = '', license: licence = 'unknown' }: Locked): Dependency {
  return { name: path.replace(/^.*node_modules\//, ''), version, licence, path };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}
