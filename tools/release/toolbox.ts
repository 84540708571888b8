import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { arch, platform } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { npm } from './npm.ts';

const folder = fileURLToPath(new URL('toolbox/', import.meta.url));

export const verdaccio = join(folder, 'node_modules/verdaccio/bin/verdaccio');

/** Installs what a rehearsal alone needs, unless it is there. Too much for every `npm ci`: a registry, and Node itself. */
export function installToolbox(): void {
  const lock = readFileSync(join(folder, 'package-lock.json'), 'utf8');
  const receipt = join(folder, 'node_modules/.installed');
  if (existsSync(receipt) && readFileSync(receipt, 'utf8') === lock) return;
  npm(['ci', '--ignore-scripts', '--loglevel=error'], { cwd: folder });
  writeFileSync(receipt, lock);
}

export interface NodeVersion {
  /** `22.23.3`, or `22` where it cannot be had. */
  readonly version: string;
  readonly executable: string | undefined;
}

/** One of each major version that we support: the one that runs this, and others from the toolbox. */
export function nodeVersions(): readonly NodeVersion[] {
  return ['20', '22', '24'].map((major) => {
    if (process.versions.node.startsWith(`${major}.`)) {
      return { version: process.versions.node, executable: process.execPath };
    }
    const executable = join(folder, `node_modules/node-${major}-${arch()}/bin/node`);
    // npm has Node for Linux; for other systems the optional dependencies are not installed.
    if (platform() !== 'linux' || !existsSync(executable)) return { version: major, executable: undefined };
    const version = execFileSync(executable, ['--version'], { encoding: 'utf8' }).trim().slice(1);
    return { version, executable };
  });
}
