// Installs packed tarballs in an empty folder outside the workspace, and runs two programs on them there.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publishedPackages, root } from '../workspace.ts';

const programs = ['esm.mjs', 'cjs.cjs'];
const installed = [
  'client',
  'consul',
  'decorators',
  'dns',
  'etcd',
  'grpc',
  'kubernetes',
  'memory',
  'opentelemetry',
  'redis',
  'undici',
  'zookeeper',
].map((name) => `@sd/${name}`);

const folder = mkdtempSync(join(tmpdir(), 'sd-pack-check-'));
try {
  const tarballs = pack([...closure(installed)]);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  npm(
    ['install', '--no-package-lock', '--omit=dev', '--prefer-offline', '--loglevel=error', ...tarballs],
    folder,
  );
  for (const program of programs) {
    copyFileSync(new URL(program, import.meta.url), join(folder, program));
    console.log(`$ node ${program}`);
    execFileSync(process.execPath, [program], { cwd: folder, stdio: 'inherit', timeout: 30_000 });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** The packages and those that they depend on, at any remove. */
function closure(names: readonly string[], found = new Set<string>()): Set<string> {
  for (const name of names.filter((each) => each.startsWith('@sd/') && !found.has(each))) {
    found.add(name);
    closure(Object.keys(manifestOf(name).dependencies ?? {}), found);
  }
  return found;
}

function manifestOf(name: string) {
  const found = publishedPackages().find((each) => each.name === name);
  if (!found) throw new Error(`${name} is not published from this workspace`);
  return found.manifest;
}

function pack(names: readonly string[]): readonly string[] {
  const workspaces = names.map((name) => `--workspace=${name}`);
  const report = npm(
    ['pack', '--json', '--loglevel=error', `--pack-destination=${folder}`, ...workspaces],
    root,
  );
  return Object.values(JSON.parse(report) as Record<string, { filename: string }>).map(
    ({ filename }) => `./${filename}`,
  );
}

function npm(args: readonly string[], cwd: string): string {
  return execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}
