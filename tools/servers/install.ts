// Gets the servers that tests need and the machine lacks, into .servers, and does and says nothing when they are there.
// With --all also the other versions of them that tests can run against. Without servers their tests are skipped.
import { chmodSync, existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { unpackDebianPackage, type DebianPackage } from './apt.ts';
import { cacheFolder, findBinary } from './binaries.ts';
import { findRedisServer } from './redis-binaries.ts';

interface Server extends DebianPackage {
  /** Its name in .servers/bin. */
  readonly id: string;
  readonly find: () => string | undefined;
  /** Fetched with --all alone. Default: false. */
  readonly extra?: boolean;
}

const servers: readonly Server[] = [
  { id: 'redis-server', name: 'redis-server', find: findRedisServer },
  other('redis-server-8', 'redis-server', ['trixie']),
  other('valkey-server-8', 'valkey-server', ['bookworm', 'bookworm-backports']),
];

function other(id: string, name: string, suites: readonly string[]): Server {
  return { id, name, suites, find: () => findBinary(id, ''), extra: true };
}

const logFile = join(cacheFolder, 'install.log');
const all = process.argv.includes('--all');
const wanted = servers.filter(({ extra = false, find }) => (all || !extra) && find() === undefined);

for (const server of wanted) {
  try {
    fetchServer(server);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    console.error(`Tests with ${server.id} are skipped: it is not on PATH, and ${reason}.`);
    if (process.env.CI === 'true') process.exitCode = 1;
  }
}

function fetchServer(server: Server): void {
  if (findBinary('apt-get') === undefined) throw new Error('there is no apt-get to fetch it with');
  console.log(`Fetching ${server.id} into ${cacheFolder} …`);
  const partial = join(cacheFolder, `${server.id}.partial`);
  const folder = join(cacheFolder, server.id);
  for (const old of [partial, folder]) rmSync(old, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  try {
    unpackDebianPackage(server, partial, logFile);
    renameSync(partial, folder);
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
  writeLauncher(server, folder);
}

/**
 * Its libraries may be newer than the C library of the machine, so it runs with its own, which takes its own loader.
 * Last of all: what has a launcher is complete.
 */
function writeLauncher({ id, name }: Server, folder: string): void {
  const libraries = ['lib', 'usr/lib'].flatMap((parent) => architectureFolders(folder, parent));
  const loader = libraries
    .flatMap((library) => readdirSync(join(folder, library)).map((file) => `${library}/${file}`))
    .find((file) => /\/ld-linux[^/]*\.so\.\d$/.test(file));
  if (loader === undefined) throw new Error('its packages have no loader');
  const bin = join(cacheFolder, 'bin');
  mkdirSync(bin, { recursive: true });
  const path = libraries.map((library) => `$root/${library}`).join(':');
  writeFileSync(
    join(bin, `${id}.partial`),
    `#!/bin/sh
root="\${0%/*}/../${id}"
exec "$root/${loader}" --library-path "${path}" "$root/usr/bin/${name}" "$@"
`,
  );
  chmodSync(join(bin, `${id}.partial`), 0o755);
  renameSync(join(bin, `${id}.partial`), join(bin, id));
}

/** `lib/x86_64-linux-gnu` and the like. */
function architectureFolders(folder: string, parent: string): readonly string[] {
  if (!existsSync(join(folder, parent))) return [];
  return readdirSync(join(folder, parent))
    .filter((name) => name.includes('-linux-'))
    .map((name) => `${parent}/${name}`);
}
