import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const program = fileURLToPath(new URL('./programs/waiting.ts', import.meta.url));

/** What the program prints until it exits by itself; those that would wait for 60 s are killed after 15. */
async function outputOf(way: string): Promise<string> {
  const child = spawn(process.execPath, ['--import', 'tsx', program, way], {
    stdio: ['ignore', 'pipe', 'inherit'],
    timeout: 15_000,
    killSignal: 'SIGKILL',
  });
  const exit = new Promise((resolve) => child.once('exit', (code, signal) => resolve(signal ?? code)));
  const output = await text(child.stdout);
  expect(await exit).toBe(0);
  return output;
}

describe('a process', { timeout: 20_000 }, () => {
  it.each(['background timer', 'cancelled timer', 'timer that is let go', 'background sleep'])(
    'does not wait for a %s',
    async (way) => {
      expect(await outputOf(way)).toBe('');
    },
  );

  it.each([
    ['timer that keeps alive', 'fired\n'],
    ['timer that is kept again', 'fired\n'],
    ['sleep that keeps alive', 'slept\n'],
  ])('waits for a %s', async (way, output) => {
    expect(await outputOf(way)).toBe(output);
  });

  it('does not wait any longer for a sleep that was aborted', async () => {
    expect(await outputOf('aborted sleep')).toBe('enough\n');
  });
});
