import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../../../tools/bench-peers/', import.meta.url));

export const loadPeer = createRequire(`${folder}package.json`);

/** They stand outside the workspaces, so that nobody installs them but who runs this. */
export function peersInstalled(): boolean {
  if (existsSync(`${folder}node_modules`)) return true;
  console.log('Installing the peers to compare with (once, about 60 MB) …');
  try {
    execFileSync('npm', ['ci', '--ignore-scripts'], { cwd: folder, stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
