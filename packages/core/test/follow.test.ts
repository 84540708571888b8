import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
import { BackendUnavailableError, ConfigValidationError, follow, seededRng } from '../src/index.ts';
import { startFollowing } from './follow-fixture.ts';
import { order } from './orders.ts';
import { ScriptedBackend } from './scripted-backend.ts';
import { thrownBy } from './thrown-by.ts';

describe('a view', () => {
  it('is connecting and empty until something is heard', async () => {
    const { clock, following, views, backend } = startFollowing();
    await clock.advance(500);
    expect(following.view).toEqual({
      service: 'orders',
      state: 'connecting',
      since: clock.now() - 500,
      instances: [],
      held: 0,
      error: undefined,
    });
    expect(views).toEqual([]);
    expect(backend.watches.map(({ service }) => service)).toEqual(['orders']);
  });

  it('is live from the first snapshot on', async () => {
    const { clock, following, views, sees } = startFollowing();
    await clock.advance(500);
    await sees(order(2), order(1));
    expect(following.view).toEqual({
      service: 'orders',
      state: 'live',
      since: clock.now(),
      instances: [order(1), order(2)],
      held: 0,
      error: undefined,
    });
    expect(views).toEqual([following.view]);
  });

  it('is live when the service has no instances', async () => {
    const { following, views, sees } = startFollowing();
    await sees();
    expect(following.view).toMatchObject({ state: 'live', instances: [] });
    expect(views).toHaveLength(1);
  });

  it('follows each change', async () => {
    const { clock, following, views, ids, sees } = startFollowing();
    await sees(order(1));
    const { since } = following.view;
    await clock.advance(1_000);
    await sees(order(1), order(2));
    expect(ids()).toEqual(['orders-1', 'orders-2']);
    await clock.advance(1_000);
    await sees(order(2));
    expect(ids()).toEqual(['orders-2']);
    expect(views).toHaveLength(3);
    expect(following.view.since).toBe(since);
  });

  it('keeps the last good snapshot when the store is lost, and says since when and why', async () => {
    const { clock, following, views, sees, loses } = startFollowing();
    const error = new Error('connect ECONNREFUSED');
    await sees(order(1));
    const { instances } = following.view;
    await clock.advance(5_000);
    await loses(error);
    expect(following.view).toEqual({
      service: 'orders',
      state: 'stale',
      since: clock.now(),
      instances: [order(1)],
      held: 0,
      error,
    });
    expect(following.view.instances).toBe(instances);
    expect(views).toHaveLength(2);
  });

  it('is stale since the store was lost first, with the latest reason', async () => {
    const { following, views, sees, loses, reconnects } = startFollowing();
    await sees(order(1));
    await loses();
    const { since } = following.view;
    await reconnects();
    await loses('again');
    expect(following.view).toMatchObject({ state: 'stale', since, error: 'again' });
    expect(views).toHaveLength(2);
  });

  it('is live again with the next snapshot', async () => {
    const { clock, following, views, sees, loses, reconnects } = startFollowing();
    await sees(order(1));
    await loses();
    await reconnects();
    await sees(order(1), order(2));
    expect(following.view).toMatchObject({
      state: 'live',
      since: clock.now(),
      instances: [order(1), order(2)],
      error: undefined,
    });
    expect(views.map(({ state }) => state)).toEqual(['live', 'stale', 'live']);
  });

  it('says why there is nothing yet when the first watch fails', async () => {
    const { following, views, sees, loses, reconnects } = startFollowing();
    const { since } = following.view;
    const error = new Error('connect ECONNREFUSED');
    await loses(error);
    expect(following.view).toMatchObject({ state: 'connecting', since, instances: [], error });
    await reconnects();
    await sees(order(1));
    expect(views.map(({ state }) => state)).toEqual(['connecting', 'live']);
  });

  it('cannot be changed by who reads it', async () => {
    const { following, sees } = startFollowing();
    const views = [following.view];
    await sees(order(1));
    views.push(following.view);
    expect(views.every((view) => Object.isFrozen(view) && Object.isFrozen(view.instances))).toBe(true);
  });
});

describe('a snapshot', () => {
  it('that says the same is no change', async () => {
    const { clock, following, views, sees } = startFollowing();
    await sees(order(1), order(2));
    const { view } = following;
    await clock.advance(1_000);
    await sees(order(2, { updatedAt: 9 }), order(1));
    expect(following.view.instances).toBe(view.instances);
    expect(views).toEqual([view]);
  });

  it('leaves instances that did not change the same objects', async () => {
    const { clock, following, sees } = startFollowing();
    await sees(order(1), order(2));
    const [first, second] = following.view.instances;
    await clock.advance(1_000);
    await sees(order(1, { weight: 5 }), order(2), order(3));
    const [changed, same] = following.view.instances;
    expect(changed).toEqual(order(1, { weight: 5 }));
    expect(changed).not.toBe(first);
    expect(same).toBe(second);
  });

  it('keeps those objects over a loss of the store, too', async () => {
    const { following, sees, loses, reconnects } = startFollowing();
    await sees(order(1));
    const [before] = following.view.instances;
    await loses();
    await reconnects();
    await sees(order(1), order(2));
    expect(following.view.instances[0]).toBe(before);
  });

  it('with one id twice shows the last of them', async () => {
    const { following, sees } = startFollowing();
    await sees(order(1, { weight: 1 }), order(1, { weight: 2 }));
    expect(following.view.instances).toEqual([order(1, { weight: 2 })]);
  });

  it.each([[undefined], [null], ['orders'], [[undefined]], [[{ service: 'orders' }]]])(
    'of %o is a mistake of the backend and fails its watch, not the process',
    async (junk) => {
      const { following, backend, sees, reconnects, clock } = startFollowing();
      await sees(order(1));
      backend.current.yieldAnything(junk);
      await clock.advance(0);
      expect(following.view).toMatchObject({ state: 'stale', instances: [order(1)] });
      expect(String(following.view.error)).toContain('something else than an array of instances');
      await reconnects();
      await sees(order(1));
      expect(following.view.state).toBe('live');
    },
  );
});

describe('onChange', () => {
  it('may throw: the view goes on, and the logger hears of it', async () => {
    const error = new Error('a bug of the listener');
    const onChange = vi.fn(() => {
      throw error;
    });
    const { clock, following, logger, sees, loses } = startFollowing({ onChange });
    await sees(order(1));
    await clock.advance(1_000);
    await sees(order(2));
    await loses();
    expect(onChange).toHaveBeenCalledTimes(3);
    expect(following.view).toMatchObject({ state: 'stale', instances: [order(2)] });
    expect(logger.entries).toContainEqual({
      level: 'error',
      message: 'A listener of service "orders" threw',
      details: { error },
    });
  });

  it('is never called before follow() has returned', () => {
    const { views } = startFollowing({}, (backend) => {
      backend.onWatch = (watch) => watch.yield(order(1));
    });
    expect(views).toEqual([]);
  });

  it('finds the view that it is called with in place', async () => {
    const seen: boolean[] = [];
    const fixture = startFollowing({ onChange: (view) => seen.push(view === fixture.following.view) });
    await fixture.sees(order(1));
    expect(seen).toEqual([true]);
  });
});

describe('ready()', () => {
  it('forgets those who gave up waiting', async () => {
    const { following } = startFollowing();
    const giveUp = async (): Promise<WeakRef<AbortSignal>> => {
      const caller = new AbortController();
      const ready = following.ready({ signal: caller.signal });
      caller.abort();
      await ready.catch(() => undefined);
      return new WeakRef(caller.signal);
    };

    const signal = await giveUp();
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();

    expect(signal.deref()).toBeUndefined();
  });

  it('resolves with the view once it is in sync', async () => {
    const { following, sees } = startFollowing();
    const ready = following.ready();
    await sees(order(1));
    expect(await ready).toBe(following.view);
  });

  it('resolves with the view of today when it has been in sync before', async () => {
    const { clock, following, sees, loses } = startFollowing();
    await sees(order(1));
    await clock.advance(1_000);
    await sees(order(2));
    await loses();
    expect(await following.ready()).toMatchObject({ state: 'stale', instances: [order(2)] });
  });

  it('waits while the watch fails, even if the store could be asked otherwise', async () => {
    const { clock, following, backend } = startFollowing({}, (script) => {
      script.onWatch = () => {
        throw new Error('no');
      };
    });
    const ready = vi.fn();
    following.ready().then(ready, ready);
    await clock.advance(60_000);
    expect(ready).not.toHaveBeenCalled();
    expect(backend.lookups).toEqual([]);
  });

  it('rejects with the reason of its signal, and waits no longer', async () => {
    const { following } = startFollowing();
    const stop = new AbortController();
    const ready = following.ready({ signal: stop.signal });
    stop.abort('enough');
    await expect(ready).rejects.toBe('enough');
  });
});

describe('the logger', () => {
  it('hears once of a loss and once of the return, however many attempts lie between', async () => {
    const { clock, backend, logger, sees, loses } = startFollowing();
    await sees(order(1));
    backend.onWatch = (watch) => watch.fail(new BackendUnavailableError('scripted', 'down'));
    await loses(new BackendUnavailableError('scripted', 'down'));
    await clock.advance(600_000);
    expect(backend.watches.length).toBeGreaterThan(50);
    backend.onWatch = (watch) => watch.yield(order(1));
    await clock.advance(60_000);
    expect(logger.messages).toEqual([
      'warn: Lost the store of service "orders"; serving the last good snapshot',
      'warn: Service "orders" is in sync again',
    ]);
  });

  it('is warned once of a store that several services are lost with', async () => {
    const { clock, backend, logger } = startFollowing();
    const users = follow(backend, 'users', { clock, rng: seededRng(2), logger });
    for (const watch of backend.watches) watch.fail(new BackendUnavailableError('scripted', 'down'));
    await clock.advance(0);
    users.close();
    expect(logger.messages.toSorted()).toEqual([
      'debug: Cannot watch service "users"; trying again',
      'warn: Cannot watch service "orders"; trying again',
    ]);
  });

  it('hears of another kind of failure during a loss', async () => {
    const { logger, loses, reconnects } = startFollowing();
    await loses(new BackendUnavailableError('scripted', 'down'));
    await reconnects();
    await loses(new BackendUnavailableError('scripted', 'still down'));
    await reconnects();
    await loses(Object.assign(new Error('wrong password'), { code: 'ERR_SD_ACCESS_DENIED' }));
    expect(logger.messages).toEqual([
      'warn: Cannot watch service "orders"; trying again',
      'warn: Cannot watch service "orders"; trying again',
    ]);
    expect(logger.entries[1]?.details).toMatchObject({ error: { code: 'ERR_SD_ACCESS_DENIED' } });
  });

  it('may throw: the view goes on', async () => {
    vi.spyOn(console, 'warn').mockImplementation(() => undefined);
    const logger = { debug: fail, info: fail, warn: fail, error: fail };
    const { following, sees, loses, reconnects } = startFollowing({ logger });
    await sees(order(1));
    await loses();
    await reconnects();
    await sees(order(2));
    expect(following.view).toMatchObject({ state: 'live' });
    vi.restoreAllMocks();
  });
});

describe('follow()', () => {
  const backend = () => new ScriptedBackend({ now: () => 0, monotonic: () => 0, setTimer: fail });

  it.each(['', 'a/b', '..', 7])('refuses to follow %o', (service) => {
    const error = thrownBy(() => follow(backend(), service as never));
    expect(error).toBeInstanceOf(ConfigValidationError);
  });

  it.each([undefined, {}, ScriptedBackend])('refuses to follow in what is no backend: %o', (none) => {
    const error = thrownBy(() => follow(none as never, 'orders'));
    expect(error).toMatchObject({ code: 'ERR_SD_CONFIG', field: 'backend' });
  });

  it.each<[object, string]>([
    [{ coalesceMS: 5 }, 'coalesceMS'],
    [{ coalesceMs: -1 }, 'coalesceMs'],
    [{ coalesceMs: Number.NaN }, 'coalesceMs'],
    [{ coalesceMs: Infinity }, 'coalesceMs'],
    [{ firstSnapshotTimeoutMs: 0 }, 'firstSnapshotTimeoutMs'],
    [{ reconnect: { baseMs: 0 } }, 'reconnect.baseMs'],
    [{ reconnect: { baseMs: Infinity } }, 'reconnect.baseMs'],
    [{ reconnect: { capMs: '15s' } }, 'reconnect.capMs'],
    [{ reconnect: { maxMs: 5 } }, 'reconnect.maxMs'],
    [{ shrinkGuard: { share: 50 } }, 'shrinkGuard.share'],
    [{ shrinkGuard: { verifyAfterMs: -1 } }, 'shrinkGuard.verifyAfterMs'],
    [{ shrinkGuard: { verifyAfterMs: Infinity } }, 'shrinkGuard.verifyAfterMs'],
    [{ onChange: 'log' }, 'onChange'],
    [{ clock: Date }, 'clock'],
    [{ rng: 4 }, 'rng'],
    [{ logger: {} }, 'logger'],
  ])('refuses the option %o', (options, field) => {
    const scripted = backend();
    const error = thrownBy(() => follow(scripted, 'orders', options));
    expect(error).toBeInstanceOf(ConfigValidationError);
    expect(error).toMatchObject({ field });
    expect(scripted.watches).toEqual([]);
  });
});

function fail(): never {
  throw new Error('no');
}

function collectGarbage(): void {
  setFlagsFromString('--expose-gc');
  runInNewContext('gc()');
}
