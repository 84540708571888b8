import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ClosedError } from '@sd/core';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { orders, rejection, setUp } from './fixture.ts';

const signalled = new URL('./programs/signalled.ts', import.meta.url);
const forgotten = new URL('./programs/forgotten.ts', import.meta.url);
const waiting = new URL('./programs/waiting.ts', import.meta.url);
const options = { timeout: 20_000 };

describe('a shutdown signal', () => {
  it.each(['SIGTERM', 'SIGINT'] as const)(
    'drains everything and lets the process die of it: %s',
    options,
    async (signal) => {
      const program = await start(signalled);

      program.child.kill(signal);

      expect(await program.end()).toEqual({ code: null, signal });
      expect(program.printed).toEqual(['ready', 'draining', 'released']);
    },
  );

  it('kills at once when it comes a second time', options, async () => {
    const program = await start(signalled, ['slow']);

    program.child.kill('SIGTERM');
    await program.prints('draining');
    program.child.kill('SIGINT');

    expect(await program.end()).toEqual({ code: null, signal: 'SIGINT' });
    expect(program.printed).toEqual(['ready', 'draining']);
  });

  it('lets all registries of the process leave before it dies', options, async () => {
    const program = await start(signalled, ['idle']);

    program.child.kill('SIGTERM');

    expect(await program.end()).toEqual({ code: null, signal: 'SIGTERM' });
    expect(program.printed).toEqual(['ready', 'draining', 'released']);
  });

  it.runIf(canIsolate())('also ends the first process of a container', options, async () => {
    const program = await start(signalled, [], asFirstProcess);

    process.kill(await childOf(program.child.pid), 'SIGTERM');

    expect(await program.end()).toEqual({ code: 128 + 15, signal: null });
    expect(program.printed).toEqual(['ready', 'draining', 'released']);
  });

  it.runIf(canIsolate())(
    'kills the first process of a container when it comes a second time',
    options,
    async () => {
      const program = await start(signalled, ['slow'], asFirstProcess);
      const pid = await childOf(program.child.pid);

      process.kill(pid, 'SIGTERM');
      await program.prints('draining');
      process.kill(pid, 'SIGINT');

      expect(await program.end()).toEqual({ code: 128 + 2, signal: null });
    },
  );

  it('leaves the end of the process to others who listen to it', options, async () => {
    const program = await start(signalled, ['listener']);

    program.child.kill('SIGTERM');

    expect(await program.end()).toEqual({ code: 0, signal: null });
    expect(program.printed).toEqual(['ready', 'heard', 'draining', 'released']);
  });

  it('leaves it to those as well who listen once', options, async () => {
    const program = await start(signalled, ['once', 'idle']);

    program.child.kill('SIGTERM');

    expect(await program.end()).toEqual({ code: 3, signal: null });
    expect(program.printed).toEqual(['ready', 'draining', 'released']);
  });

  it('lets nobody register any more', async () => {
    const heard = (): void => undefined;
    process.on('SIGUSR2', heard); // decides how this process ends
    onTestFinished(() => void process.off('SIGUSR2', heard));
    const { registry, clock } = setUp({ shutdownSignals: ['SIGUSR2'] });
    await registry.register(orders);

    process.emit('SIGUSR2', 'SIGUSR2');
    const error = await rejection(registry.register({ ...orders, id: 'orders-2' }));
    await clock.advance(30_000);

    expect(error).toBeInstanceOf(ClosedError);
    expect(registry.registrations).toEqual([]);
  });

  it('lets registries of another copy of this package leave, too, before the process dies', async () => {
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    onTestFinished(() => kill.mockRestore());
    const { registry, backend, clock, logger } = setUp({ shutdownSignals: ['SIGUSR2'] });
    vi.resetModules();
    const { ServiceRegistry } = await import('../src/index.ts');
    const drain = { propagationMs: 10_000 };
    const other = new ServiceRegistry({ backend, clock, logger, drain, shutdownSignals: ['SIGUSR2'] });
    await registry.register(orders);
    await other.register({ ...orders, id: 'orders-2' });

    process.emit('SIGUSR2', 'SIGUSR2');
    await clock.advance(5_000);
    expect([registry.registrations.length, other.registrations.length]).toEqual([0, 1]);
    expect(kill).not.toHaveBeenCalled();

    await clock.advance(10_000);
    expect(other.registrations).toEqual([]);
    expect(kill).toHaveBeenCalledWith(process.pid, 'SIGUSR2');
  });

  it('is not listened to any more after close()', async () => {
    const before = process.listenerCount('SIGTERM');
    const { registry } = setUp({ shutdownSignals: ['SIGTERM'] });
    expect(process.listenerCount('SIGTERM')).toBe(before + 1);

    await registry.close();

    expect(process.listenerCount('SIGTERM')).toBe(before);
  });
});

describe('the process', () => {
  it('is not kept alive by a registration, its return or a report of its health', options, async () => {
    const program = await start(forgotten);

    expect(await program.end()).toEqual({ code: 0, signal: null });
    expect(program.printed).toContain('ends by itself');
  });

  it('is kept alive while a registration is awaited', options, async () => {
    const program = await start(waiting);

    expect(await program.end()).toEqual({ code: 0, signal: null });
    expect(program.printed).toEqual(['published']);
  });
});

/** With a process table of its own, as in a container. */
const asFirstProcess = ['unshare', '-Urpf', '--kill-child', '--mount-proc'];

/** Not everywhere may everybody do that. */
function canIsolate(): boolean {
  const [command = '', ...args] = asFirstProcess;
  return spawnSync(command, [...args, 'true']).status === 0;
}

async function childOf(pid: number | undefined): Promise<number> {
  return Number(await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8'));
}

/**
 * Runs a program from source; resolves when it has printed a first line.
 * @param inside a command that runs it
 */
async function start(program: URL, args: readonly string[] = [], inside: readonly string[] = []) {
  const [command, ...before] = [...inside, process.execPath];
  const child: ChildProcessWithoutNullStreams = spawn(
    command,
    [...before, '--conditions=@sd/source', '--import', 'tsx', fileURLToPath(program), ...args],
    { stdio: 'pipe' },
  );
  onTestFinished(() => void child.kill('SIGKILL'));
  const printed: string[] = [];
  const lines = createInterface(child.stdout).on('line', (line) => printed.push(line));
  const ended = once(child, 'close');
  const prints = async (line: string): Promise<void> => {
    while (!printed.includes(line)) await once(lines, 'line');
  };
  await Promise.race([once(lines, 'line'), ended]);
  return {
    child,
    printed,
    prints,
    async end(): Promise<{ readonly code: unknown; readonly signal: unknown }> {
      await ended;
      return { code: child.exitCode, signal: child.signalCode };
    },
  };
}
