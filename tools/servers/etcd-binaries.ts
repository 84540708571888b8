import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { cacheFolder, isExecutable } from './binaries.ts';
import { findEtcd } from './store-binaries.ts';

export interface EtcdBinary {
  /** `3.4` */
  readonly name: string;
  readonly binary: string;
}

/** Every version at hand, the one of `findEtcd()` first. `install.ts --all` fetches more of them. */
export function etcdServers(): readonly EtcdBinary[] {
  const fetched = join(cacheFolder, 'bin', 'etcd-3.5');
  const binaries = [findEtcd(), isExecutable(fetched) ? fetched : undefined];
  const found = new Map<string, EtcdBinary>();
  for (const binary of binaries) {
    if (binary === undefined) continue;
    const name = versionOf(binary);
    if (!found.has(name)) found.set(name, { name, binary });
  }
  return [...found.values()];
}

function versionOf(binary: string): string {
  // etcd Version: 3.4.23
  const version = execFileSync(binary, ['--version'], { encoding: 'utf8' });
  return /etcd Version: (\d+\.\d+)/.exec(version)?.[1] ?? 'unknown';
}
