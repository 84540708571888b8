import { spawnSync } from 'node:child_process';
import { root } from '../workspace.ts';
import type { LocalRegistry } from './local-registry.ts';

/** Publishes every package as the release does, by `nx release publish`, at the version that stands in its manifest. @throws */
export function publishAll(registry: LocalRegistry): true {
  const args = ['nx', 'release', 'publish', `--registry=${registry.url}`, '--output-style=static'];
  const { status, stdout, stderr } = spawnSync('npx', args, {
    cwd: root,
    env: { ...process.env, ...registry.env },
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  if (status !== 0) throw new Error(`nx release publish failed:\n${stdout}${stderr}`);
  return true;
}
