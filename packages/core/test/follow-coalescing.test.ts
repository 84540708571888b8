import { describe, expect, it } from 'vitest';
import { orderList, startFollowing } from './follow-fixture.ts';
import { order } from './orders.ts';

/** In sync, and no change for so long that the next one is the first of a burst. */
async function startCalm(options = {}) {
  const fixture = startFollowing(options);
  await fixture.sees();
  await fixture.clock.advance(1_000);
  fixture.views.length = 0;
  return fixture;
}

describe('the first change of a burst', () => {
  it('is applied at once', async () => {
    const { ids, views, sees } = await startCalm();
    await sees(order(1));
    expect(ids()).toEqual(['orders-1']);
    expect(views).toHaveLength(1);
  });
});

describe('the changes after it', () => {
  it('are applied together, 20 ms after the first', async () => {
    const { clock, ids, views, sees } = await startCalm();
    for (let n = 1; n <= 10; n += 1) {
      await sees(...orderList(1, n));
      await clock.advance(1);
    }
    await clock.advance(9);
    expect(ids()).toHaveLength(1);
    await clock.advance(1);
    expect(ids()).toHaveLength(10);
    expect(views).toHaveLength(2);
  });

  it('are applied together in the time that is asked for', async () => {
    const { clock, ids, sees } = await startCalm({ coalesceMs: 500 });
    await sees(order(1));
    await sees(order(2));
    await clock.advance(499);
    expect(ids()).toEqual(['orders-1']);
    await clock.advance(1);
    expect(ids()).toEqual(['orders-2']);
  });

  it('are applied one by one when no time is given', async () => {
    const { ids, views, sees } = await startCalm({ coalesceMs: 0 });
    await sees(order(1));
    await sees(order(2));
    expect(ids()).toEqual(['orders-2']);
    expect(views).toHaveLength(2);
  });

  it('are at most one view per 20 ms, and the last of them is seen, however long they last', async () => {
    const { clock, ids, views, sees } = await startCalm();
    for (let n = 1; n <= 200; n += 1) {
      await sees(order(n % 250));
      await clock.advance(5);
    }
    await clock.advance(20);
    expect(ids()).toEqual(['orders-200']);
    expect(views.length).toBeLessThanOrEqual(1_000 / 20 + 2);
    expect(views.length).toBeGreaterThan(40);
  });

  it('are no view at all when they cancel each other out', async () => {
    const { clock, views, sees } = await startCalm();
    await sees(order(1));
    await sees(order(1), order(2));
    await sees(order(1));
    await clock.advance(20);
    expect(views).toHaveLength(1);
  });

  it('are not lost when the watch fails before they are applied', async () => {
    const { clock, backend, following, views, sees } = await startCalm();
    await sees(order(1));
    backend.current.yield(order(2));
    backend.current.fail(new Error('lost'));
    await clock.advance(0);
    expect(following.view).toMatchObject({ state: 'stale', instances: [order(2)] });
    expect(views.map(({ state }) => state)).toEqual(['live', 'live', 'stale']);
  });

  it('do not come after a newer snapshot of the next watch', async () => {
    const { clock, ids, sees, loses, reconnects } = await startCalm();
    await sees(order(1));
    await sees(order(2));
    await loses();
    await reconnects();
    await sees(order(3), order(2));
    await clock.advance(100);
    expect(ids()).toEqual(['orders-2', 'orders-3']);
  });
});

describe('the first snapshot after a loss', () => {
  it('is applied at once', async () => {
    const { ids, sees, loses, reconnects } = await startCalm({ coalesceMs: 60_000 });
    await sees(order(1));
    await loses();
    await reconnects();
    await sees(order(1), order(2));
    expect(ids()).toEqual(['orders-1', 'orders-2']);
  });
});
