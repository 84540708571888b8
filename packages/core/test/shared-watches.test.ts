import { expect, it } from 'vitest';
import { createInstance, SharedWatches, type ServiceInstance, type WatchFeed } from '../src/index.ts';

const instance = (n: number, version = '1.0.0'): ServiceInstance =>
  createInstance({ service: 'orders', id: `orders-${n}`, host: `10.0.0.${n}`, port: 80, version }, n);

/** Watches of a source whose feeds the test holds in its hands. */
function scene() {
  const feeds: WatchFeed[] = [];
  const watches = new SharedWatches((feed) => feeds.push(feed));
  const abort = new AbortController();
  const open = (service = 'orders', { signal } = abort) => watches.watch(service, signal);
  return { feeds, watches, abort, open, feed: () => feeds.at(-1)! }; // after a watch was opened there is one
}

it('starts one source for all watches of a service, and another one for another service', async () => {
  const { open, feeds } = scene();
  const reads = [open(), open(), open('payments')].map((watch) => watch.next());
  expect(feeds.map(({ service }) => service)).toEqual(['orders', 'payments']);
  for (const feed of feeds) feed.push([]);
  expect(await Promise.all(reads)).toEqual(Array(3).fill({ done: false, value: [] }));
});

it('gives a watch that comes later what is known already', async () => {
  const { open, feed } = scene();
  const first = open().next();
  feed().push([instance(1)]);
  await first;
  expect(await open().next()).toEqual({ done: false, value: [instance(1)] });
});

it('tells nobody of what says the same, and keeps the instances that stay', async () => {
  const { open, feed } = scene();
  const watch = open();
  const first = watch.next();
  feed().push([instance(1)]);
  const { value: before } = await first;
  const second = watch.next();
  feed().push([{ ...instance(1), updatedAt: 99 }]);
  feed().push([{ ...instance(1), updatedAt: 99 }, instance(2)]);
  const { value: after } = await second;
  expect(after).toEqual([instance(1), instance(2)]);
  expect(after?.[0]).toBe(before?.[0]);
});

it('reads a burst of changes once', async () => {
  const { open, feed } = scene();
  const watch = open();
  const next = watch.next();
  let reads = 0;
  const counted = {
    *[Symbol.iterator]() {
      reads += 1;
      yield instance(1);
    },
  };
  for (let n = 0; n < 10; n += 1) feed().push(counted);
  await next;
  expect(reads).toBe(1);
});

it('ends the source with its last watch, and begins anew for the next', async () => {
  const { open, feed, feeds } = scene();
  const watches = [open(), open()];
  const reads = watches.map((watch) => watch.next());
  feed().push([]);
  await Promise.all(reads);
  const { signal } = feed();
  await watches[0]?.return();
  expect(signal.aborted).toBe(false);
  await watches[1]?.return();
  expect(signal.aborted).toBe(true);
  void open().next();
  expect(feeds).toHaveLength(2);
});

it('ends a watch whose signal aborts without an error, while it waits', async () => {
  const { open, abort, feed } = scene();
  const next = open().next();
  abort.abort();
  expect(await next).toEqual({ done: true, value: undefined });
  expect(feed().signal.aborted).toBe(true);
});

it('ends all watches of a service that failed with its error, and serves the next watch from a new source', async () => {
  const { open, feed, feeds } = scene();
  const reads = [open().next(), open().next()];
  feed().fail(new Error('gone'));
  await expect(Promise.all(reads)).rejects.toThrow('gone');
  expect(feed().signal.aborted).toBe(true);
  const next = open().next();
  expect(feeds).toHaveLength(2);
  feed().push([instance(1)]);
  expect(await next).toEqual({ done: false, value: [instance(1)] });
});

it('ends all watches of a service whose instances cannot be read', async () => {
  const { open, feed } = scene();
  const [first, second] = [open(), open()];
  const begun = [first.next(), second.next()];
  feed().push([]);
  await Promise.all(begun);
  const reads = [first.next(), second.next()];
  feed().push({
    [Symbol.iterator]() {
      throw new Error('unreadable');
    },
  });
  for (const read of reads) await expect(read).rejects.toThrow('unreadable');
  expect(feed().signal.aborted).toBe(true);
});

it('ends a watch with what its source throws at the start', async () => {
  const watches = new SharedWatches(() => {
    throw new Error('no');
  });
  await expect(watches.watch('orders', new AbortController().signal).next()).rejects.toThrow('no');
  expect([...watches.services]).toEqual([]);
});

it('drops what is pushed after the end', async () => {
  const { open, feed } = scene();
  const watch = open();
  const next = watch.next();
  const ended = feed();
  ended.fail(new Error('gone'));
  ended.push([instance(1)]);
  await expect(next).rejects.toThrow('gone');
});

it('refuses names that no service has, and everything once it is closed', async () => {
  const { watches, abort, open } = scene();
  await expect(watches.watch('a/b', abort.signal).next()).rejects.toMatchObject({ code: 'ERR_SD_CONFIG' });
  const next = open().next();
  watches.close(new Error('closed'));
  await expect(next).rejects.toThrow('closed');
  await expect(open().next()).rejects.toThrow('closed');
});
