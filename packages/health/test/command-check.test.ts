import { eventually } from '@sd/testkit';
import { ChildProcess, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { commandCheck } from '../src/checks/command-check.ts';
import { unaborted } from './local-servers.ts';

const target = { host: '10.0.0.1', port: 8080 };
const folder = realpathSync(mkdtempSync(join(tmpdir(), 'sd-command-')));
afterAll(() => rmSync(folder, { recursive: true }));

/** Runs a program in JavaScript. */
const look = (script: string, options: { env?: Record<string, string>; cwd?: string } = {}) =>
  commandCheck({ argv: [process.execPath, '-e', script], enabled: true, ...options }).check(target, {
    signal: unaborted(),
  });

function isRunning(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** What a program wrote to a file, once it has. */
const written = (file: string): Promise<number> =>
  eventually(() => {
    const pid = Number(readFileSync(file, 'utf8'));
    expect(pid).toBeGreaterThan(0);
    return pid;
  });

describe('commandCheck()', () => {
  it.each([
    [0, 'healthy'],
    [1, 'degraded'],
    [2, 'unhealthy'],
    [3, 'unhealthy'],
  ])('takes the exit code %d for %s', async (code, status) => {
    expect(await look(`process.exit(${code})`)).toEqual({ status, detail: `exit ${code}` });
  });

  it('is unhealthy when the program dies of a signal', async () => {
    expect(await look("process.kill(process.pid, 'SIGTERM'); setInterval(() => {}, 1000)")).toEqual({
      status: 'unhealthy',
      detail: 'killed by SIGTERM',
    });
  });

  it('gives what was written, to both streams, as detail', async () => {
    const { detail } = await look(
      "console.log('disk ok'); console.error('inodes low'); process.exitCode = 1",
    );
    expect(detail).toMatch(/^exit 1: (disk ok inodes low|inodes low disk ok)$/);
  });

  it('keeps the end of a long output', async () => {
    const { detail } = await look("process.stdout.write('x'.repeat(1e6)); console.log('the end')");
    expect(detail).toMatch(/^exit 0: x+the end$/);
    expect(detail.length).toBeLessThanOrEqual(200);
  });

  it('is unhealthy when the program does not exist', async () => {
    const check = commandCheck({ argv: [join(folder, 'nothing')], enabled: true });
    expect(await check.check(target, { signal: unaborted() })).toMatchObject({ status: 'unhealthy' });
    expect((await check.check(target, { signal: unaborted() })).detail).toMatch(/^cannot run .*ENOENT$/);
    expect(check.name).toBe('command nothing');
  });

  it('passes arguments as they are: no shell reads them', async () => {
    const argument = '$(echo x); `id` "* | $HOME';
    const check = commandCheck({
      argv: [process.execPath, '-e', 'console.log(process.argv[1])', argument],
      enabled: true,
    });
    expect((await check.check(target, { signal: unaborted() })).detail).toBe(`exit 0: ${argument}`);
  });

  it('tells the target in the environment, which is ours or the one given', async () => {
    const script =
      'const { SD_HOST, SD_PORT, A, HOME } = process.env; console.log(SD_HOST, SD_PORT, A, HOME)';
    process.env['HOME'] ??= '/';
    expect((await look(script)).detail).toBe(`exit 0: 10.0.0.1 8080 undefined ${process.env['HOME']}`);
    expect((await look(script, { env: { A: 'b' } })).detail).toBe('exit 0: 10.0.0.1 8080 b undefined');
  });

  it('runs where it is told to', async () => {
    expect((await look('console.log(process.cwd())', { cwd: folder })).detail).toBe(`exit 0: ${folder}`);
  });

  it('kills the program as soon as the signal aborts, even one that will not end', async () => {
    const file = join(folder, 'stubborn.pid');
    const script = `process.on('SIGTERM', () => {}); setInterval(() => {}, 1000);
      require('fs').writeFileSync(${JSON.stringify(file)}, String(process.pid))`;
    const stop = new AbortController();
    const check = commandCheck({ argv: [process.execPath, '-e', script], enabled: true });
    const looking = check.check(target, { signal: stop.signal });
    const pid = await written(file);
    const reason = new Error('enough');
    stop.abort(reason);
    await expect(looking).rejects.toBe(reason);
    await eventually(() => expect(isRunning(pid)).toBe(false));
  });

  it('does not wait for what the program left in the background with its output', async () => {
    const file = join(folder, 'background.pid');
    const script = `const { spawn } = require('child_process');
      const child = spawn('sleep', ['60'], { detached: true, stdio: 'inherit' });
      require('fs').writeFileSync(${JSON.stringify(file)}, String(child.pid));
      console.log('done'); child.unref()`;
    expect(await look(script)).toEqual({ status: 'healthy', detail: 'exit 0: done' });
    process.kill(await written(file)); // it was still running: only the program itself is ours to end
  });
});

describe('a program that cannot be started or killed', () => {
  it('is unhealthy, and no end of this process, when there are no file descriptors left', () => {
    const script = `
      import { commandCheck } from '@sd/health';
      import { openSync } from 'node:fs';
      const check = commandCheck({ argv: ['/bin/true'], enabled: true });
      try { for (;;) openSync('/dev/null', 'r'); } catch {}
      const { status } = await check.check({ host: 'a', port: 1 }, { signal: new AbortController().signal }).catch(() => ({ status: 'threw' }));
      await new Promise((resolve) => setTimeout(resolve, 50));
      process.exit(status === 'unhealthy' ? 0 : 3);`;
    const node = [
      process.execPath,
      '--conditions=@sd/source',
      '--import',
      'tsx',
      '--input-type=module',
      '-e',
      script,
    ];
    const { status, stderr } = spawnSync('/bin/sh', ['-c', 'ulimit -n 80; exec "$@"', 'sh', ...node], {
      encoding: 'utf8',
    });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  });

  it('ends the check when it may not be killed, as when it runs as another user', async () => {
    const kill = vi.spyOn(ChildProcess.prototype, 'kill').mockImplementation(function (this: ChildProcess) {
      this.emit('error', new Error('kill EPERM')); // as Node does
      return false;
    });
    const stop = new AbortController();
    const argv = [process.execPath, '-e', 'setTimeout(() => {}, 300)'] as const;
    const result = commandCheck({ argv, enabled: true }).check(target, { signal: stop.signal });
    stop.abort(new Error('too late'));
    await expect(result).rejects.toThrow('too late');
    expect(kill).toHaveBeenCalledTimes(1);
    kill.mockRestore();
  });
});
