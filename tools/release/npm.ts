import { execFileSync } from 'node:child_process';

export interface NpmOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** What npm prints. @throws with what it says of its failure */
export function npm(args: readonly string[], { cwd, env = {} }: NpmOptions): string {
  return execFileSync('npm', args, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}
