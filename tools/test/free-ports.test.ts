import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { freePorts, reservePort } from '../servers/free-ports.ts';

const program = fileURLToPath(new URL('free-ports.program.ts', import.meta.url));

describe('a port that a process was given', () => {
  it('is given to no other while that one lives, and to anybody afterwards', async () => {
    const other = spawn(process.execPath, ['--import', 'tsx', program], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    onTestFinished(() => void other.kill('SIGKILL'));
    const [line] = (await once(other.stdout, 'data')) as [Buffer];
    const port = Number(line);
    expect(reservePort(port)).toBe(false);

    other.kill('SIGKILL'); // it tidies nothing up
    await once(other, 'exit');

    expect(reservePort(port)).toBe(true);
  });

  it('is not given to it again', async () => {
    const [port = 0] = await freePorts(1);
    expect(reservePort(port)).toBe(false);
  });
});
