import { once } from 'node:events';
import { watch } from 'node:fs';
import { symlink } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ManualClock } from '@sd/core';
import { eventually } from '@sd/testkit';
import { hosts, openFolder } from './open-backend.ts';
import { ServicesFolder } from './services-folder.ts';

/** `orders.txt` is a link to elsewhere, of which no event comes. Time is manual. */
async function openBusyFolder() {
  const elsewhere = await ServicesFolder.create();
  await elsewhere.edit('http://10.0.0.1:80', 'orders.txt');
  const folder = await ServicesFolder.create();
  await symlink(elsewhere.file('orders.txt'), folder.file('orders.txt'));
  const clock = new ManualClock();
  const { backend } = openFolder(folder.path, { clock });
  await backend.listServices();
  const events = watch(folder.path);
  onTestFinished(() => events.close());
  /** Waits while the folder is looked at: there is no timer then. */
  const advance = async (ms: number): Promise<void> => {
    await clock.advance(ms);
    await eventually(() => expect(clock.pendingTimers).toBe(1));
  };
  await advance(25);
  return {
    clock,
    advance,
    changeOrders: () => elsewhere.edit('http://10.0.0.2:80', 'orders.txt'),
    orders: async () => hosts(await backend.getInstances('orders')),
    /** Writes the file, the same each time, and waits until that has been noticed. */
    touch: async (name: string): Promise<void> => {
      const noticed = once(events, 'change');
      await folder.edit('http://10.0.0.9:80', name);
      await noticed;
      await setImmediate();
    },
  };
}

describe('a folder in which a file is written all the time', () => {
  it('is read when it is due, whatever happens to files that are none of services', async () => {
    const { advance, changeOrders, orders, touch } = await openBusyFolder();
    await changeOrders();
    await advance(4_990);
    await touch('access.log');
    await advance(10);
    await advance(25);
    expect(await orders()).toEqual(['10.0.0.2']);
  });

  it('is read nevertheless when it is that of a service', async () => {
    const { clock, advance, changeOrders, orders, touch } = await openBusyFolder();
    await touch('payments.txt');
    await advance(100);
    await changeOrders();
    const from = clock.monotonic();
    while ((await orders())?.join() !== '10.0.0.2' && clock.monotonic() - from < 2_000) {
      await touch('payments.txt');
      await advance(20);
    }
    expect(clock.monotonic() - from).toBeLessThan(1_000);
  });
});
