import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

/** Far more than it takes, as others may be at work on this machine. */
const timeout = 60_000;

describe('the demo', () => {
  it('keeps its promises, in plain lines of at most 80 columns', { timeout }, async () => {
    const { code, stdout, stderr } = await finished(start('--seconds', '5', '--rate', '50'));
    expect(code, stdout + stderr).toBe(0);
    expect(stderr).toBe('');
    expect(stdout).toMatch(/^ +\d\.\d s {2}payments-1 is killed/m);
    expect(stdout).toMatch(/^ +\d\.\d s {2}\d+ calls {2}0 failed/m);
    expect(stdout).toMatch(/^Summary\n {2}calls +2\d\d in \d\.\d s, 0 failed$/m);
    expect(stdout.match(/^ {2}ok /gm)).toHaveLength(7);
    expect(stdout).not.toContain('BROKEN');
    // eslint-disable-next-line no-control-regex -- control characters are what must not be there
    expect(stdout).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
    expect(stdout.split('\n').filter(({ length }) => length > 80)).toEqual([]);
  });

  it('ends in order at Ctrl-C, with a summary so far', { timeout }, async () => {
    const demo = start('--seconds', '30');
    const end = finished(demo);
    await once(demo.stdout!, 'data'); // customers buy; stdout is a pipe
    demo.kill('SIGINT');
    const { code, stdout } = await end;
    expect(code, stdout).toBe(130);
    expect(stdout).toMatch(/^ {2}calls .* 0 failed$/m);
    expect(stdout).toContain('Interrupted: the promises were not judged.');
  });

  it('exits with 2 when an option is wrong, and runs nothing', { timeout }, async () => {
    const { code, stdout, stderr } = await finished(start('--strategy', 'best'));
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^--strategy is "best", expected one of round-robin, .*\nSee --help\.\n$/);
  });

  it('prints its help', { timeout }, async () => {
    const { code, stdout } = await finished(start('--help'));
    expect(code).toBe(0);
    expect(stdout).toContain('Usage: npm start -- [options]');
  });
});

function start(...args: readonly string[]): ChildProcess {
  const main = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  return spawn(process.execPath, ['--conditions=@sd/source', '--import', 'tsx', main, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

async function finished(
  demo: ChildProcess,
): Promise<{ readonly code: number | null; readonly stdout: string; readonly stderr: string }> {
  let stdout = '';
  let stderr = '';
  demo.stdout?.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  demo.stderr?.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  await once(demo, 'close');
  return { code: demo.exitCode, stdout, stderr };
}
