import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { root } from '../workspace.ts';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sd-setup-'));
  mkdirSync(join(folder, 'tools'));
  cpSync(join(root, 'tools/setup.mjs'), join(folder, 'tools/setup.mjs'));
  lock('a');
});

afterEach(() => rmSync(folder, { recursive: true }));

it('installs when nothing is installed, and then is silent', () => {
  expect(setup()).toContain('Installing dependencies');
  expect(setup()).toBe('');
});

it('installs again when the lockfile has changed', () => {
  setup();
  lock('a', 'b');
  expect(setup()).toContain('Installing dependencies');
  expect(setup()).toBe('');
});

it('says so when npm fails', () => {
  writeFileSync(join(folder, 'package.json'), '{ "dependencies": { "c": "1.0.0" } }');
  expect(setup(1)).toContain('npm ci failed');
});

/** A project whose packages need no network. */
function lock(...names: readonly string[]): void {
  const manifest = { name: 'x', version: '1.0.0', workspaces: names };
  const packages: Record<string, object> = { '': manifest };
  for (const name of names) {
    mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, name, 'package.json'), JSON.stringify({ name, version: '1.0.0' }));
    packages[name] = { version: '1.0.0' };
    packages[`node_modules/${name}`] = { resolved: name, link: true };
  }
  writeFileSync(join(folder, 'package.json'), JSON.stringify(manifest));
  writeFileSync(
    join(folder, 'package-lock.json'),
    JSON.stringify({ ...manifest, lockfileVersion: 3, packages }),
  );
}

function setup(status = 0): string {
  const done = spawnSync(process.execPath, ['tools/setup.mjs'], { cwd: folder, encoding: 'utf8' });
  expect(done.status, done.stderr).toBe(status);
  return done.stdout + (status === 0 ? '' : done.stderr);
}
