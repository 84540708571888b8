import { describe, expect, it } from 'vitest';
import type { FollowOptions } from '../src/index.ts';
import { idsOf, orderList, startFollowing } from './follow-fixture.ts';
import { order } from './orders.ts';

const ten = orderList(1, 10);

/** Ten instances, and a store that was lost and is back: its next snapshot is doubted. */
async function startTroubled(options: FollowOptions = {}) {
  const fixture = startFollowing({ reconnect: { baseMs: 100, capMs: 100 }, ...options });
  await fixture.sees(...ten);
  await fixture.loses();
  await fixture.reconnects();
  return fixture;
}

describe('a service that shrinks without trouble', () => {
  it.each([
    ['to nothing', []],
    ['by more than half', orderList(1, 2)],
  ])('%s is believed at once', async (_how, left) => {
    const { clock, backend, following, sees } = startFollowing();
    await sees(...ten);
    await clock.advance(1_000);
    await sees(...left);
    expect(following.view).toMatchObject({ state: 'live', instances: left, held: 0 });
    expect(backend.lookups).toEqual([]);
  });

  it('is believed at once, too, when its store was lost long ago', async () => {
    const { clock, ids, sees } = await startTroubled();
    await sees(...ten);
    await clock.advance(15_000);
    await sees();
    expect(ids()).toEqual([]);
  });
});

describe('a store that forgets instances right after it was lost', () => {
  it.each([
    ['all', []],
    ['more than half', orderList(1, 4)],
  ])('is doubted when it forgets %s: they are held', async (_how, left) => {
    const { following, views, logger, ids, sees } = await startTroubled();
    await sees(...left);
    expect(ids()).toEqual(idsOf(ten));
    expect(following.view).toMatchObject({ state: 'live', held: 10 - left.length });
    expect(views.at(-1)).toBe(following.view);
    expect(logger.messages.at(-1)).toBe(
      `warn: The store suddenly forgot ${10 - left.length} instances of "orders"; keeping them until verified`,
    );
  });

  it('is doubted as well a while after it came back', async () => {
    const { clock, ids, sees } = await startTroubled();
    await sees(...ten);
    await clock.advance(14_999);
    await sees();
    expect(ids()).toEqual(idsOf(ten));
  });

  it('is believed when it forgets half of them, or fewer', async () => {
    const { backend, following, ids, sees } = await startTroubled();
    await sees(...orderList(1, 5));
    expect(ids()).toEqual(idsOf(orderList(1, 5)));
    expect(following.view.held).toBe(0);
    expect(backend.lookups).toEqual([]);
  });

  it('is doubted when it forgets them in steps, as soon as more than half are gone', async () => {
    const { clock, following, ids, sees } = await startTroubled();
    for (let left = 10; left > 0; left -= 1) {
      await sees(...orderList(1, left));
      await clock.advance(100);
      expect(ids()).toHaveLength(Math.max(5, left));
    }
    expect(following.view.held).toBe(4);
  });

  it('is believed when they leave one by one and others come', async () => {
    const { clock, following, ids, sees } = await startTroubled();
    for (let first = 1; first <= 11; first += 1) {
      await sees(...orderList(first, first + 9));
      await clock.advance(100);
      expect(ids()).toEqual(idsOf(orderList(first, first + 9)));
    }
    expect(following.view.held).toBe(0);
  });

  it('is believed about instances that did not take requests any more', async () => {
    const { following, sees, loses, reconnects } = startFollowing();
    await sees(
      ...orderList(1, 9).map(({ id, host }) => order(0, { id, host, status: 'draining' })),
      order(10),
    );
    await loses();
    await reconnects();
    await sees(order(10));
    expect(following.view).toMatchObject({ instances: [order(10)], held: 0 });
  });

  it('is believed at once about what is new or changed', async () => {
    const { clock, following, sees } = await startTroubled();
    await sees(order(1, { weight: 5 }));
    await clock.advance(1_000);
    await sees(order(1, { weight: 6 }), order(11));
    expect(following.view.instances).toContainEqual(order(1, { weight: 6 }));
    expect(following.view.instances).toContainEqual(order(11));
    expect(following.view).toMatchObject({ held: 9 });
    expect(following.view.instances).toHaveLength(11);
  });

  it('has the share and the time that are asked for', async () => {
    const { clock, backend, following, sees } = await startTroubled({
      shrinkGuard: { share: 0.1, verifyAfterMs: 2_000 },
    });
    await sees(...orderList(1, 8));
    expect(following.view.held).toBe(2);
    await clock.advance(1_999);
    expect(backend.lookups).toHaveLength(0);
    await clock.advance(1);
    expect(backend.lookups).toHaveLength(1);
  });

  it('is doubted only when it forgets all, if the share is 1', async () => {
    const { clock, following, sees } = await startTroubled({ shrinkGuard: { share: 1 } });
    await sees(order(1));
    expect(following.view.held).toBe(0);
    await clock.advance(20);
    await sees();
    expect(following.view.held).toBe(1);
  });

  it('is never doubted when the time is 0', async () => {
    const { ids, sees } = await startTroubled({ shrinkGuard: { verifyAfterMs: 0 } });
    await sees();
    expect(ids()).toEqual([]);
  });
});

describe('a process that could not run for a while', () => {
  it.each(['freeze', 'suspend'] as const)('doubts what it then hears: after a %s', async (pause) => {
    const { clock, following, ids, sees } = startFollowing();
    await sees(...ten);
    await clock.advance(500);

    clock[pause](4_000);
    await sees();
    expect(ids()).toEqual(idsOf(ten));
    expect(following.view).toMatchObject({ state: 'live', held: 10 });
  });

  it('doubts it also when it forgets them in steps, as soon as more than half are gone', async () => {
    const { clock, ids, sees } = startFollowing();
    await sees(...ten);
    clock.suspend(60_000);
    for (let left = 10; left >= 0; left -= 2) {
      await sees(...orderList(1, left));
      await clock.advance(100);
      expect(ids()).toHaveLength(Math.max(6, left));
    }
  });

  it('doubts it for 15 s', async () => {
    const { clock, ids, sees } = startFollowing();
    await sees(...ten);
    await clock.advance(500);
    clock.freeze(4_000);
    await clock.advance(15_501);
    await sees();
    expect(ids()).toEqual([]);
  });

  it('believes a store that it has asked since, however often it could not run', async () => {
    const { clock, backend, ids, sees } = await startTroubled();
    await sees();
    await clock.advance(10_000);
    clock.freeze(4_000);
    await clock.advance(5_000);
    backend.lookup.give([]);
    await clock.advance(0);
    expect(ids()).toEqual([]);
  });

  it('doubts nothing when it was just busy', async () => {
    const { clock, ids, sees } = startFollowing();
    await sees(...ten);
    await clock.advance(500);
    clock.freeze(2_000);
    await sees();
    expect(ids()).toEqual([]);
  });
});

describe('instances that are held', () => {
  it('are kept until all of them are back', async () => {
    const { clock, backend, following, ids, sees } = await startTroubled();
    await sees();
    for (let back = 1; back <= 10; back += 1) {
      await clock.advance(500);
      await sees(...orderList(1, back));
      expect(ids()).toEqual(idsOf(ten));
      expect(following.view.held).toBe(10 - back);
    }
    await clock.advance(60_000);
    expect(backend.lookups).toEqual([]);
  });

  it('are gone when another has registered at their address, as who is started anew does', async () => {
    const { clock, following, ids, sees } = await startTroubled();
    await sees();
    await clock.advance(500);
    const successor = order(11, { host: order(3).host });

    await sees(successor);

    const others = ten.filter(({ id }) => id !== order(3).id);
    expect(ids().toSorted()).toEqual(idsOf([successor, ...others]).toSorted());
    expect(following.view.held).toBe(9);
  });

  it('are gone when the store, asked again after 15 s, still denies them: a real scale to zero goes through', async () => {
    const { clock, backend, following, ids, sees } = await startTroubled();
    await sees();
    await clock.advance(14_999);
    expect(backend.lookups).toEqual([]);
    await clock.advance(1);
    expect(backend.lookup.service).toBe('orders');
    expect(ids()).toEqual(idsOf(ten));
    backend.lookup.give([]);
    await clock.advance(0);
    expect(following.view).toMatchObject({ state: 'live', instances: [], held: 0 });
    expect(clock.pendingTimers).toBe(1); // the one that looks for pauses
  });

  it('are gone as well when the timer is early, as timers of Node may be', async () => {
    const { clock, backend, ids, sees } = await startTroubled();
    await sees();
    await clock.advance(14_999);
    clock.fireLast(15_000);
    await clock.advance(0);
    backend.lookup.give([]);
    await clock.advance(0);
    expect(ids()).toEqual([]);
  });

  it('stay when the store, asked again, has them after all, and are asked for until the watch has them', async () => {
    const { clock, backend, following, ids, sees } = await startTroubled();
    await sees();
    for (let times = 1; times <= 3; times += 1) {
      await clock.advance(15_000);
      expect(backend.lookups).toHaveLength(times);
      backend.lookup.give(ten);
      await clock.advance(0);
      expect(ids()).toEqual(idsOf(ten));
      expect(clock.pendingTimers).toBe(2);
    }
    await sees(...ten);
    await clock.advance(20);
    expect(following.view.held).toBe(0);
    await clock.advance(60_000);
    expect(backend.lookups).toHaveLength(3);
  });

  it('are as the store, asked again, describes them', async () => {
    const { clock, backend, following, sees } = await startTroubled();
    await sees();
    await clock.advance(15_000);
    backend.lookup.give([order(1, { status: 'draining' }), order(2)]);
    await clock.advance(0);
    expect(following.view.instances).toEqual([order(1, { status: 'draining' }), order(2)]);
  });

  it('alone are verified: what the watch said meanwhile stays as it said', async () => {
    const { clock, backend, following, sees } = await startTroubled();
    await sees(order(1));
    await clock.advance(15_000);
    await sees(order(1, { weight: 2 }), order(11));
    backend.lookup.give([order(1)]);
    await clock.advance(0);
    expect(following.view).toMatchObject({ instances: [order(1, { weight: 2 }), order(11)], held: 0 });
  });

  it('are verified once for all changes that come meanwhile', async () => {
    const { clock, backend, sees } = await startTroubled();
    await sees();
    for (let n = 0; n < 100; n += 1) {
      await clock.advance(200);
      await sees(order(20 + (n % 2)));
    }
    expect(backend.lookups).toHaveLength(1);
    backend.lookup.give([]);
    await clock.advance(60_000);
    expect(backend.lookups).toHaveLength(1);
  });

  it('do not hold others that leave after the time of doubt', async () => {
    const { clock, ids, sees } = await startTroubled();
    await sees(...orderList(1, 4));
    await clock.advance(16_000);
    await sees();
    expect(ids()).toEqual(idsOf(orderList(5, 10)));
  });

  it.each([
    ['fails', ({ backend }: Fixture) => backend.lookup.fail(new Error('no'))],
    ['has no answer in time', ({ clock }: Fixture) => clock.advance(10_000)],
    [
      'has an answer that makes no sense',
      ({ backend }: Fixture) => backend.lookup.give([{ service: 'orders' }] as never),
    ],
  ])(
    'are kept while the verification %s, and it is tried again',
    async (_how, goWrong: (fixture: Fixture) => unknown) => {
      const fixture = await startTroubled();
      const { clock, backend, following, logger, ids, sees } = fixture;
      await sees();
      await clock.advance(15_000);
      await Promise.resolve(goWrong(fixture));
      await clock.advance(0);
      expect(ids()).toEqual(idsOf(ten));
      expect(logger.messages.at(-1)).toBe('warn: Could not verify service "orders"; keeping 10 instances');
      await clock.advance(15_000);
      expect(backend.lookups).toHaveLength(2);
      backend.lookup.give([]);
      await clock.advance(0);
      expect(following.view).toMatchObject({ instances: [], held: 0 });
    },
  );

  it('are kept while the verification throws before it returns anything', async () => {
    const { clock, backend, ids, sees } = await startTroubled();
    backend.onLookup = () => {
      throw new Error('no');
    };
    await sees();
    await clock.advance(60_000);
    expect(backend.lookups).toHaveLength(4);
    expect(ids()).toEqual(idsOf(ten));
  });

  it('are kept in the stale view when the store is lost again, and not asked for meanwhile', async () => {
    const { clock, backend, following, ids, sees, loses } = await startTroubled();
    await sees();
    backend.onWatch = (watch) => watch.fail(new Error('down'));
    await loses();
    await clock.advance(60_000);
    expect(following.view).toMatchObject({ state: 'stale', held: 10 });
    expect(ids()).toEqual(idsOf(ten));
    expect(backend.lookups).toEqual([]);
  });

  it('are not gone by an answer that comes after the store was lost again', async () => {
    const { clock, backend, ids, sees, loses } = await startTroubled();
    await sees();
    await clock.advance(15_000);
    const { lookup } = backend;
    await loses();
    lookup.give([]);
    await clock.advance(0);
    expect(lookup.signal?.aborted).toBe(true);
    expect(ids()).toEqual(idsOf(ten));
  });

  it('have all of the time again after a loss that was long', async () => {
    const { clock, backend, sees, loses, reconnects } = await startTroubled();
    await sees();
    await clock.advance(10_000);
    backend.onWatch = (watch) => watch.fail(new Error('down'));
    await loses();
    await clock.advance(60_000);
    backend.onWatch = () => undefined;
    await reconnects();
    await sees();
    await clock.advance(14_000);
    expect(backend.lookups).toEqual([]);
    await clock.advance(1_000);
    expect(backend.lookups).toHaveLength(1);
  });

  it('are verified within a minute even if every watch is cut after 5 s', async () => {
    const { clock, backend, following, sees, loses, reconnects } = await startTroubled();
    backend.onLookup = (lookup) => lookup.give([]);
    for (let seconds = 0; seconds < 65; seconds += 5) {
      await sees();
      await clock.advance(5_000);
      await loses();
      await reconnects();
    }
    expect(backend.lookups).toHaveLength(1);
    expect(following.view).toMatchObject({ instances: [], held: 0 });
  });
});

type Fixture = Awaited<ReturnType<typeof startTroubled>>;
