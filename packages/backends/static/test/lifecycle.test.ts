import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { ClosedError, ConfigValidationError, ManualClock } from '@sd/core';
import { eventually, WatchRecorder } from '@sd/testkit';
import { StaticBackend } from '../src/index.ts';
import { openBackend, openWatch } from './open-backend.ts';
import { listing, ServicesFolder } from './services-folder.ts';

async function openFolder() {
  const folder = await ServicesFolder.create();
  await folder.edit(listing('orders', 'http://10.0.0.1:80'));
  const clock = new ManualClock();
  return { folder, clock, ...openBackend(folder.file(), { clock }) };
}

describe('a read', () => {
  it('ends at once with the reason of its signal', async () => {
    const { backend } = await openFolder();
    const reason = new Error('enough');
    const signal = AbortSignal.abort(reason);
    await expect(backend.getInstances('orders', { signal })).rejects.toBe(reason);
    await expect(backend.listServices({ signal })).rejects.toBe(reason);
  });

  it('refuses a name that can be no service', async () => {
    const { backend } = await openFolder();
    const { signal } = new AbortController();
    await expect(backend.getInstances('or/ders')).rejects.toBeInstanceOf(ConfigValidationError);
    await expect(backend.watch('', { signal }).next()).rejects.toBeInstanceOf(ConfigValidationError);
  });
});

describe('a watch', () => {
  it('ends without a word when its signal aborts, before the first snapshot or after it', async () => {
    const { backend } = await openFolder();
    const watch = await openWatch(backend);
    await watch.close();
    expect(watch.end).toEqual({});

    const early = new WatchRecorder(openBackend('absent.yaml').backend, 'orders');
    await early.close();
    expect(early.end).toEqual({});
    expect(early.snapshots).toEqual([]);
  });

  it('of services given in code has one snapshot, and goes on until it is aborted', async () => {
    const watch = await openWatch(new StaticBackend({ services: { orders: ['http://10.0.0.1:80'] } }));
    expect(watch.latest).toMatchObject([{ host: '10.0.0.1' }]);
    expect(watch.end).toBeUndefined();
    await watch.close();
    expect(watch.end).toEqual({});
    expect(watch.snapshots).toHaveLength(1);
  });
});

describe('close()', () => {
  it('ends watches and refuses reads with a ClosedError, however often it is called', async () => {
    for (const backend of [
      (await openFolder()).backend,
      new StaticBackend({ services: { orders: ['http://10.0.0.1:80'] } }),
    ]) {
      const watch = await openWatch(backend);
      await backend.close();
      await backend.close();
      await backend[Symbol.asyncDispose]();
      await eventually(() => expect(watch.end?.error).toBeInstanceOf(ClosedError));
      await expect(backend.getInstances('orders')).rejects.toBeInstanceOf(ClosedError);
      await expect(backend.listServices()).rejects.toBeInstanceOf(ClosedError);
      const again = backend.watch('orders', { signal: new AbortController().signal });
      await expect(again.next()).rejects.toBeInstanceOf(ClosedError);
    }
  });

  it('ends what waits for the first content', async () => {
    const { backend, clock } = await openFolder();
    const watch = new WatchRecorder(backend, 'orders');
    const read = expect(backend.getInstances('orders')).rejects.toBeInstanceOf(ClosedError);
    await backend.close();
    expect(readsUnderWay()).toEqual([]);
    await read;
    await eventually(() => expect(watch.end?.error).toBeInstanceOf(ClosedError));
    expect(watch.snapshots).toEqual([]);
    expect(clock.pendingTimers).toBe(0);
  });

  it('leaves no timer and no handle, also when it comes while the file is read', async () => {
    for (const advanceMs of [0, 25]) {
      const { backend, clock } = await openFolder();
      await openWatch(backend);
      expect(clock.pendingTimers).toBe(1);
      await clock.advance(advanceMs);
      await backend.close();
      expect(clock.pendingTimers).toBe(0);
      expect(readsUnderWay()).toEqual([]);
    }
    await eventually(() => expect(watchedFolders()).toBe(0));
  });

  it.runIf(process.platform === 'linux')('is preceded by one handle for any number of watches', async () => {
    const { backend } = await openFolder();
    await Promise.all(Array.from({ length: 20 }, () => openWatch(backend)));
    expect(watchedFolders()).toBe(1);
  });
});

describe('a backend', () => {
  it('touches neither file nor timer before it is used', async () => {
    const clock = new ManualClock();
    openBackend('/nowhere/services.yaml', { clock });
    expect(clock.pendingTimers).toBe(0);
    expect(watchedFolders()).toBe(0);
  });

  it('does not keep the process alive', async () => {
    const folder = await ServicesFolder.create();
    await folder.edit(listing('orders', 'http://10.0.0.1:80'));
    const program = fileURLToPath(new URL('unclosed.program.ts', import.meta.url));
    const args = ['--conditions=@sd/source', '--import', 'tsx', program, folder.file()];
    const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 });
    expect(stdout).toBe('10.0.0.1\n');
  });
});

function readsUnderWay(): readonly string[] {
  return process.getActiveResourcesInfo().filter((type) => type.startsWith('FSReq'));
}

/** How many folders this process watches, as Linux counts them; 0 elsewhere. */
function watchedFolders(): number {
  if (process.platform !== 'linux') return 0;
  const watches = readdirSync('/proc/self/fd').map((fd) => {
    try {
      if (readlinkSync(`/proc/self/fd/${fd}`) !== 'anon_inode:inotify') return 0;
      return readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8').match(/^inotify wd/gm)?.length ?? 0;
    } catch {
      return 0; // closed meanwhile
    }
  });
  return watches.reduce((sum, count) => sum + count, 0);
}
