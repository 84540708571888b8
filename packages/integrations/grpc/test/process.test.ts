import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, it } from 'vitest';

const program = fileURLToPath(new URL('programs/forgetful.program.ts', import.meta.url));

it('does not keep a process alive, even if no channel is ever closed', { timeout: 20_000 }, async () => {
  const node = ['--conditions=@sd/source', '--import=tsx', program];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, node, { timeout: 15_000 });
  expect({ stdout, stderr }).toEqual({ stdout: 'called\nunknown\n', stderr: '' });
});
