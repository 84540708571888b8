// Installs what the lockfile asks for, and does and says nothing when it is already there.
// Plain JavaScript without dependencies: it runs before anything is installed.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const root = new URL('../', import.meta.url);
const [major, minor] = process.versions.node.split('.').map(Number);

if (major < 20 || (major === 20 && minor < 19)) {
  fail(`Node ${process.versions.node} is too old: sd needs Node 20.19 or newer.`);
}
if (!isInstalled()) {
  console.log('Installing dependencies (npm ci) …');
  const status = npm('ci', '--include=dev', '--loglevel=error');
  if (status !== 0) fail('npm ci failed: its message is above.', status);
}

/** npm writes what it has installed to node_modules/.package-lock.json, last of all. */
function isInstalled() {
  const wanted = lockedPackages('package-lock.json');
  const installed = lockedPackages('node_modules/.package-lock.json');
  return Object.entries(wanted ?? fail('package-lock.json is missing.')).every(
    ([path, { version, resolved, optional }]) =>
      !path.startsWith('node_modules/') ||
      (installed?.[path]
        ? installed[path].version === version && installed[path].resolved === resolved
        : optional),
  );
}

function lockedPackages(file) {
  try {
    return JSON.parse(readFileSync(new URL(file, root), 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function npm(...args) {
  const runByNpm = process.env.npm_execpath?.endsWith('.js');
  const [command, first] = runByNpm ? [process.execPath, [process.env.npm_execpath]] : ['npm', []];
  const windows = process.platform === 'win32' && !runByNpm;
  return spawnSync(command, [...first, ...args], { cwd: root, stdio: 'inherit', shell: windows }).status ?? 1;
}

function fail(message, status = 1) {
  console.error(message);
  process.exit(status);
}
