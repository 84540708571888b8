// Gets the servers that tests need and the machine lacks, into .servers, and does and says nothing when they are there.
// With --all also the other versions of them that tests can run against. Without servers their tests are skipped.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { unpackDebianPackage, type DebianPackage } from './apt.ts';
import { cacheFolder, findBinary } from './binaries.ts';
import {
  findConsul,
  findDnsmasq,
  findEtcd,
  findJava,
  findPrometheus,
  findZooKeeper,
} from './store-binaries.ts';
import { findRedisServer } from './redis-binaries.ts';

interface Server extends DebianPackage {
  /** Its name in .servers/bin. */
  readonly id: string;
  readonly find: () => string | undefined;
  /** Fetched with --all alone. Default: false. */
  readonly extra?: boolean;
  /** The program of the package. Default: its name. */
  readonly program?: string;
  /** The line that starts it, `$root` being its folder. Default: the program with its own libraries. */
  readonly launch?: (folder: string) => string;
}

const servers: readonly Server[] = [
  { id: 'redis-server', name: 'redis-server', find: findRedisServer },
  { id: 'etcd', name: 'etcd-server', program: 'etcd', find: findEtcd },
  { id: 'consul', name: 'consul', suites: ['bullseye'], find: findConsul },
  {
    id: 'dnsmasq',
    name: 'dnsmasq-base',
    find: findDnsmasq,
    launch: (folder) => `exec ${withItsLibraries(folder)} "$root/usr/sbin/dnsmasq" "$@"`,
  },
  // Without what its pages in a browser need.
  { id: 'prometheus', name: 'prometheus', take: /^(prometheus|libc6|libgcc-s1)$/, find: findPrometheus },
  {
    id: 'zookeeper',
    name: 'libzookeeper-java',
    beside: [
      ...[
        'libslf4j-java',
        'libnetty-java',
        'libjctools-java',
        'libsnappy-java',
        'libdropwizard-metrics-java',
      ],
      ...(findJava() === undefined ? ['default-jre-headless'] : []),
    ],
    // Of the JRE only what starts it; the jars ask for half a desktop.
    take: /^(lib(zookeeper|slf4j|netty|jctools|snappy|dropwizard-metrics)-java|openjdk-\d+-jre-headless|zlib1g|libstdc.*|libgcc-s1)$/,
    find: findZooKeeper,
    launch: launchZooKeeper,
  },
  other('etcd-3.5', 'etcd-server', ['trixie'], 'etcd'),
  other('redis-server-8', 'redis-server', ['trixie']),
  other('valkey-server-8', 'valkey-server', ['bookworm', 'bookworm-backports']),
];

function other(id: string, name: string, suites: readonly string[], program = name): Server {
  return { id, name, suites, program, find: () => findBinary(id, ''), extra: true };
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

/** Last of all: what has a launcher is complete. */
function writeLauncher({ id, name, program = name, launch }: Server, folder: string): void {
  const line = launch?.(folder) ?? `exec ${withItsLibraries(folder)} "$root/usr/bin/${program}" "$@"`;
  const bin = join(cacheFolder, 'bin');
  mkdirSync(bin, { recursive: true });
  const partial = join(bin, `${id}.partial`);
  writeFileSync(partial, `#!/bin/sh\nroot="\${0%/*}/../${id}"\n${line}\n`);
  chmodSync(partial, 0o755);
  renameSync(partial, join(bin, id));
}

/** They may be newer than the C library of the machine, so a program runs with its own, which takes its own loader. */
function withItsLibraries(folder: string): string {
  const libraries = ['lib', 'usr/lib'].flatMap((parent) => architectureFolders(folder, parent));
  const loader = libraries
    .flatMap((library) => readdirSync(join(folder, library)).map((file) => `${library}/${file}`))
    .find((file) => /\/ld-linux[^/]*\.so\.\d$/.test(file));
  if (loader === undefined) throw new Error('its packages have no loader');
  const path = libraries.map((library) => `$root/${library}`).join(':');
  return `"$root/${loader}" --library-path "${path}"`;
}

/** Debian's start script wants its own places for everything. */
function launchZooKeeper(folder: string): string {
  const jars = [
    'zookeeper',
    'zookeeper-jute',
    'slf4j-api',
    'slf4j-simple',
    'metrics-core',
    'snappy-java',
    'jctools-core',
  ];
  const netty = [
    'all',
    'buffer',
    'codec',
    'common',
    'handler',
    'resolver',
    'transport',
    'transport-native-epoll',
    'transport-native-unix-common',
  ];
  const files = [...jars, ...netty.map((name) => `netty-${name}`)].map(
    (jar) => `$root/usr/share/java/${jar}.jar`,
  );
  const small = '-Xmx128m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Dzookeeper.admin.enableServer=false';
  const main = 'org.apache.zookeeper.server.quorum.QuorumPeerMain';
  return `exec ${java(folder)} ${small} $JVMFLAGS -cp "${files.join(':')}" ${main} "$@"`;
}

/** The machine's, or the one that was unpacked: its links to /etc point to what is beside it here. */
function java(folder: string): string {
  if (findJava() !== undefined) return 'java';
  const home = readdirSync(join(folder, 'usr/lib/jvm')).find((name) => /^java-\d+-openjdk-/.test(name));
  if (home === undefined) throw new Error('its packages have no Java');
  for (const entry of readdirSync(join(folder, 'usr/lib/jvm', home), {
    recursive: true,
    withFileTypes: true,
  })) {
    const link = join(entry.parentPath, entry.name);
    const target = entry.isSymbolicLink() ? join(folder, readlinkSync(link)) : '';
    if (!existsSync(target) || existsSync(link)) continue;
    rmSync(link);
    symlinkSync(relative(dirname(link), target), link);
  }
  const libraries = ['lib', 'usr/lib'].flatMap((parent) => architectureFolders(folder, parent));
  const path = libraries.map((library) => `$root/${library}`).join(':');
  return `env LD_LIBRARY_PATH="${path}" "$root/usr/lib/jvm/${home}/bin/java"`;
}

/** `lib/x86_64-linux-gnu` and the like. */
function architectureFolders(folder: string, parent: string): readonly string[] {
  if (!existsSync(join(folder, parent))) return [];
  return readdirSync(join(folder, parent))
    .filter((name) => name.includes('-linux-'))
    .map((name) => `${parent}/${name}`);
}
