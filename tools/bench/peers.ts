import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { hasFlag } from './command-line.ts';

const folder = fileURLToPath(new URL('../bench-peers/', import.meta.url));

export const loadPeer = createRequire(`${folder}package.json`);

/**
 * Whether there are peers to compare with, and they are wanted. They stand outside the workspaces, so that nobody installs
 * them but who runs a benchmark.
 */
export function withPeers(): boolean {
  if (hasFlag('no-peers')) return false;
  if (existsSync(`${folder}node_modules`)) return true;
  console.log('Installing the peers to compare with (once, about 60 MB) …');
  try {
    execFileSync('npm', ['ci', '--ignore-scripts'], { cwd: folder, stdio: 'ignore' });
    return true;
  } catch {
    console.log('Peers: not installed.');
    return false;
  }
}
