import { spawnSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { findBinary } from './binaries.ts';

export interface DebianPackage {
  readonly name: string;
  /** Further ones that it needs and does not ask for. Default: none. */
  readonly beside?: readonly string[];
  /** Releases of Debian to take it from, the one of the package last. Default: what the machine itself is set up for. */
  readonly suites?: readonly string[];
  /** Which to take of all that they stand on. Default: libraries, and those whose names begin like its own. */
  readonly take?: RegExp;
}

/**
 * Unpacks a package, with every library that it needs, into a folder. Nothing is installed: no root, no service that
 * starts, and an apt of its own, so that the lists and archives of the machine are not touched.
 *
 * @param into apart from its log, `into` has only the unpacked files in the end
 * @throws an error that names the step that failed; the log has the reason
 */
export function unpackDebianPackage(
  { name, beside = [], suites, take = ofProcess(name) }: DebianPackage,
  into: string,
  logFile: string,
): void {
  const work = join(into, '.apt');
  const archives = join(work, 'archives');
  for (const folder of [archives, join(work, 'state/lists/partial'), join(work, 'cache/archives/partial')]) {
    mkdirSync(folder, { recursive: true });
  }
  const apt = (...args: readonly string[]): string => run(logFile, archives, 'apt-get', ...options, ...args);
  const options = settings(work);
  if (suites !== undefined)
    options.push(...suiteSettings(work, suites, apt('indextargets', ...mainArchives)));
  apt('update');
  // For apt nothing is installed here, so it lists all that the packages stand on.
  const listed = apt('--simulate', 'install', name, ...beside).matchAll(/^Inst (\S+)/gm);
  apt('download', ...[...listed].map(([, found = '']) => found).filter((found) => take.test(found)));
  for (const file of readdirSync(archives)) run(logFile, archives, 'dpkg', '--extract', file, into);
  rmSync(work, { recursive: true });
}

/** Libraries are what a process loads. */
const ofProcess = (name: string): RegExp => new RegExp(`^(lib|${name.replace(/-.*/, '')})`);

function settings(work: string): string[] {
  const status = join(work, 'status');
  writeFileSync(status, '');
  return [
    `Dir::State=${join(work, 'state')}`,
    `Dir::State::status=${status}`,
    `Dir::Cache=${join(work, 'cache')}`,
    'APT::Sandbox::User=root',
    'APT::Install-Recommends=false',
    'Acquire::Languages=none',
    // A list that could not be had would be a warning only.
    'APT::Update::Error-Mode=any',
    'Acquire::Retries=1',
    'Acquire::http::Timeout=20',
  ].flatMap((setting) => ['-o', setting]);
}

const mainArchives = [
  '--no-release-info',
  '--format',
  '$(RELEASE) $(REPO_URI)',
  'Created-By: Packages',
  'Component: main',
];

/** The machine's own mirror, with other suites. */
function suiteSettings(work: string, suites: readonly string[], archives: string): readonly string[] {
  const codename = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1];
  const mirror = archives
    .split('\n')
    .find((line) => line.startsWith(`${codename} `))
    ?.split(' ')[1];
  if (mirror === undefined) throw new Error('apt has no mirror of a Debian release');
  const list = join(work, 'sources.list');
  writeFileSync(list, suites.map((suite) => `deb ${mirror} ${suite} main\n`).join(''));
  const own = ['-o', `Dir::Etc::sourcelist=${list}`, '-o', 'Dir::Etc::sourceparts=/dev/null'];
  return [...own, ...suites.slice(-1).flatMap((suite) => ['-t', suite])];
}

function run(logFile: string, cwd: string, command: string, ...args: readonly string[]): string {
  const binary = findBinary(command);
  if (binary === undefined) throw new Error(`there is no ${command} here`);
  const done = spawnSync(binary, args, {
    cwd,
    encoding: 'utf8',
    timeout: 180_000,
    env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
  });
  appendFileSync(logFile, `$ ${command} ${args.join(' ')}\n${done.stdout}${done.stderr}\n`);
  if (done.status === 0) return done.stdout;
  const step = args.find((arg) => /^(update|install|download|indextargets|--extract)$/.test(arg)) ?? '';
  throw new Error(`${command} ${step} failed, see ${logFile}`);
}
