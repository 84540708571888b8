import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('..', import.meta.url));

export interface WorkspacePackage {
  readonly name: string;
  /** Folder, relative to the root: `packages/core`. */
  readonly folder: string;
  readonly manifest: Readonly<Record<string, unknown>>;
}

/** Every package of the npm workspaces in the root manifest. */
export function workspacePackages(): readonly WorkspacePackage[] {
  const { workspaces } = readManifest('.') as { workspaces: readonly string[] };
  return workspaces
    .map((glob) => glob.replace(/\/\*$/, ''))
    .filter((parent) => existsSync(join(root, parent)))
    .flatMap((parent) => readdirSync(join(root, parent)).map((child) => `${parent}/${child}`))
    .filter((folder) => existsSync(join(root, folder, 'package.json')))
    .sort()
    .map((folder) => {
      const manifest = readManifest(folder);
      return { name: String(manifest['name']), folder, manifest };
    });
}

function readManifest(folder: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Record<string, unknown>;
}
