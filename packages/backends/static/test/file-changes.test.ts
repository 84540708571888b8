import { setTimeout as sleep } from 'node:timers/promises';
import { mkdir, symlink } from 'node:fs/promises';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ManualClock } from '@sd/core';
import { eventually, type WatchRecorder } from '@sd/testkit';
import type { StaticFileOptions } from '../src/index.ts';
import { hosts, openBackend, openWatch } from './open-backend.ts';
import { RecordingLogger } from './recording-logger.ts';
import { listing, ServicesFolder } from './services-folder.ts';

const one = listing('orders', 'http://10.0.0.1:80');
const two = listing('orders', 'http://10.0.0.1:80', 'http://10.0.0.2:80');
const three = listing('orders', 'http://10.0.0.3:80');

async function openFolder(text = one, options: Partial<StaticFileOptions> = {}) {
  const folder = await ServicesFolder.create();
  await folder.edit(text);
  return { folder, ...openBackend(folder.file(), options) };
}

class FailingLogger extends RecordingLogger {
  override warn(): void {
    throw new Error('the disk is full');
  }
}

const sees = (watch: WatchRecorder, ...expected: readonly string[]) =>
  watch.next((instances) => hosts(instances)?.join() === expected.join(), { timeoutMs: 2_000 });

describe('a change of the file', () => {
  it('is seen when it is edited in place', async () => {
    const { folder, backend } = await openFolder();
    const watch = await openWatch(backend);
    await folder.edit(two);
    await sees(watch, '10.0.0.1', '10.0.0.2');
    await folder.edit(three);
    await sees(watch, '10.0.0.3');
  });

  it('is seen when another file is renamed over it, again and again', async () => {
    const { folder, backend } = await openFolder();
    const watch = await openWatch(backend);
    await folder.replace(two);
    await sees(watch, '10.0.0.1', '10.0.0.2');
    await folder.replace(three);
    await sees(watch, '10.0.0.3');
  });

  it('is seen when Kubernetes swaps the ConfigMap, again and again', async () => {
    const folder = await ServicesFolder.create();
    await folder.mountConfigMap(one);
    const watch = await openWatch(openBackend(folder.file()).backend);
    await folder.swapConfigMap(two);
    await sees(watch, '10.0.0.1', '10.0.0.2');
    await folder.swapConfigMap(three);
    await sees(watch, '10.0.0.3');
  });

  it('is seen by lookups and in the list of services', async () => {
    const { folder, backend } = await openFolder();
    expect(await backend.listServices()).toEqual(['orders']);
    await folder.edit(listing('payments', 'http://10.0.0.9:80'));
    await eventually(async () => expect(await backend.listServices()).toEqual(['payments']));
    expect(await backend.getInstances('orders')).toEqual([]);
    expect(hosts(await backend.getInstances('payments'))).toEqual(['10.0.0.9']);
  });

  it('is seen by polling where no event comes', async () => {
    const { folder, clock, backend, checked } = await openDeaf();
    await folder.edit(two);
    await clock.advance(4_999);
    expect(await backend.getInstances('orders')).toHaveLength(1);

    await pollOnce(clock, checked);
    expect(await backend.getInstances('orders')).toHaveLength(2);
  });

  it('is seen soon when it came between the first reading and the watching', async () => {
    const { folder, file } = await deafFile();
    const clock = new ManualClock();
    const { backend } = openBackend(file, { clock });
    await backend.listServices();
    await folder.edit(two);
    await eventually(async () => {
      await clock.advance(25);
      expect(await backend.getInstances('orders')).toHaveLength(2);
    });
    expect(clock.monotonic()).toBeLessThan(5_000);
  });

  it('is seen after the whole folder was replaced, and at once from then on', async () => {
    const parent = await ServicesFolder.create();
    const folder = new ServicesFolder(parent.file('folder'));
    await mkdir(folder.path);
    await folder.edit(one);
    const { clock, backend, checked } = await openManually(folder.file());
    await parent.remove('folder');
    await mkdir(folder.path);
    await folder.edit(two);
    await pollOnce(clock, checked);
    expect(await backend.getInstances('orders')).toHaveLength(2);

    const polledAt = clock.monotonic();
    await folder.edit(three);
    await eventually(async () => {
      await clock.advance(25);
      expect(hosts(await backend.getInstances('orders'))).toEqual(['10.0.0.3']);
    });
    expect(clock.monotonic() - polledAt).toBeLessThan(5_000);
  });

  it('is seen at once after the whole folder was replaced by one that says the same', async () => {
    const parent = await ServicesFolder.create();
    const folder = new ServicesFolder(parent.file('folder'));
    await mkdir(folder.path);
    await folder.edit(one);
    const { backend } = openBackend(folder.file(), { pollMs: 60_000 });
    await backend.listServices();
    await sleep(100);
    await parent.remove('folder');
    await mkdir(folder.path);
    await folder.edit(one);
    await sleep(200);

    await folder.edit(two);
    await eventually(async () => expect(await backend.getInstances('orders')).toHaveLength(2));
  });

  it('does not count while the file is being written', async () => {
    const { folder, clock, backend, checked } = await openDeaf();
    const watch = await openWatch(backend);
    await folder.edit('services: {}');
    await clock.advance(5_000);
    await checked();
    await folder.edit(two);
    await clock.advance(25);
    await checked();
    expect(watch.snapshots).toHaveLength(1);

    await clock.advance(25);
    await sees(watch, '10.0.0.1', '10.0.0.2');
    expect(watch.snapshots).toHaveLength(2);
  });

  it('is told only to those who watch the service that changed', async () => {
    const { folder, backend } = await openFolder(`${one}  payments: [http://10.0.0.9:80]`);
    const orders = await openWatch(backend);
    const payments = await openWatch(backend, 'payments');
    await folder.edit(`${two}  payments: [http://10.0.0.9:80]`);
    await sees(orders, '10.0.0.1', '10.0.0.2');
    await folder.edit(`${two}  payments: []`);
    await sees(payments);
    expect(orders.snapshots).toHaveLength(2);
    expect(payments.snapshots).toHaveLength(2);
  });

  it('is no change of a service when only order and layout differ', async () => {
    const { folder, backend } = await openFolder(two);
    const orders = await openWatch(backend);
    const payments = await openWatch(backend, 'payments');
    const reordered = listing('orders', 'http://10.0.0.2:80', 'http://10.0.0.1:80');
    await folder.edit(`# reordered\n${reordered}  payments: [http://10.0.0.9:80]`);
    await sees(payments, '10.0.0.9');
    expect(orders.snapshots).toHaveLength(1);
  });

  it('leaves unchanged instances the same objects', async () => {
    const { folder, backend } = await openFolder();
    const watch = await openWatch(backend);
    const [before] = watch.latest ?? [];
    await folder.edit(two);
    await sees(watch, '10.0.0.1', '10.0.0.2');
    expect(watch.latest?.[0]).toBe(before);
  });
});

describe('a change for the worse', () => {
  it('that cannot be parsed keeps the last good content, is reported once, and the next good edit counts', async () => {
    const { folder, backend, warnings } = await openFolder();
    const watch = await openWatch(backend);
    await folder.edit('services: {');
    await eventually(() => expect(warnings).toHaveLength(1));
    expect(warnings[0]).toContain('serving its last good content');
    expect(warnings[0]).toContain(`${folder.file()}:1:12`);
    await folder.replace('services: {');
    await folder.edit('services: [');
    await eventually(() => expect(warnings).toHaveLength(2));
    expect(hosts(await backend.getInstances('orders'))).toEqual(['10.0.0.1']);

    await folder.edit(two);
    await sees(watch, '10.0.0.1', '10.0.0.2');
    expect(watch.snapshots).toHaveLength(2);
    expect(warnings).toHaveLength(2);
  });

  it('that deletes the file keeps the last good content, is reported once, and the next file counts', async () => {
    const { folder, backend, warnings } = await openFolder();
    const watch = await openWatch(backend);
    await folder.remove('services.yaml');
    await eventually(() => expect(warnings).toHaveLength(1));
    expect(warnings[0]).toContain('ENOENT');
    expect(hosts(await backend.getInstances('orders'))).toEqual(['10.0.0.1']);

    await folder.edit(two);
    await sees(watch, '10.0.0.1', '10.0.0.2');
    expect(warnings).toHaveLength(1);
  });

  it('is not reported again by later polls', async () => {
    const { folder, clock, warnings, checked } = await openDeaf();
    await folder.edit('services: {');
    for (let poll = 0; poll < 3; poll += 1) await pollOnce(clock, checked);
    expect(warnings).toHaveLength(1);
  });

  it('is outlived when the logger throws', async () => {
    const onConsole = vi.spyOn(console, 'warn').mockReturnValue();
    onTestFinished(() => onConsole.mockRestore());
    const { folder, backend } = await openFolder(one, { logger: new FailingLogger() });
    const watch = await openWatch(backend);
    await folder.edit('services: {');
    await eventually(() => expect(onConsole).toHaveBeenCalledOnce());
    await folder.edit(two);
    await sees(watch, '10.0.0.1', '10.0.0.2');
  });

  it('that makes an entry malformed costs that entry, and is counted', async () => {
    const { folder, backend } = await openFolder(two);
    const watch = await openWatch(backend);
    await folder.edit(listing('orders', 'http://10.0.0.1:80', '10.0.0.2:80'));
    await sees(watch, '10.0.0.1');
    expect(backend.malformed.recent).toMatchObject([{ service: 'orders', key: 'services.orders.1' }]);
  });

  it('that makes the list of a service none leaves that service as it was', async () => {
    const { folder, backend } = await openFolder();
    const payments = await openWatch(backend, 'payments');
    await folder.edit('services: { orders: http://10.0.0.1:80, payments: [http://10.0.0.9:80] }');
    await sees(payments, '10.0.0.9');
    expect(hosts(await backend.getInstances('orders'))).toEqual(['10.0.0.1']);
    expect(backend.malformed.count).toBe(1);
  });
});

/** Time is manual. `checked` waits while the file is looked at: there is no timer then. */
async function openManually(file: string) {
  const clock = new ManualClock();
  const opened = openBackend(file, { clock });
  await opened.backend.listServices();
  const checked = () => eventually(() => expect(clock.pendingTimers).toBe(1));
  await clock.advance(25);
  await checked();
  return { ...opened, clock, checked };
}

/** A link into another folder, of which no event comes. */
async function deafFile() {
  const folder = await ServicesFolder.create();
  await folder.edit(one);
  const links = await ServicesFolder.create();
  await symlink(folder.file(), links.file());
  return { folder, file: links.file() };
}

async function openDeaf() {
  const { folder, file } = await deafFile();
  return { folder, ...(await openManually(file)) };
}

/** Until a change has been found and has come to rest. */
async function pollOnce(clock: ManualClock, checked: () => Promise<void>): Promise<void> {
  for (const ms of [5_000, 25]) {
    await clock.advance(ms);
    await checked();
  }
}
