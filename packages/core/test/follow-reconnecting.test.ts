import { describe, expect, it } from 'vitest';
import { BackendUnavailableError } from '../src/index.ts';
import { startFollowing } from './follow-fixture.ts';
import { order } from './orders.ts';
import type { ScriptedBackend } from './scripted-backend.ts';

/** The pauses between the starts of watches that fail at once. */
const pausesOf = ({ watches }: ScriptedBackend) =>
  watches.slice(1).map(({ startedAt }, n) => startedAt - (watches[n]?.startedAt ?? 0));

const failing = (backend: ScriptedBackend) => {
  backend.onWatch = (watch) => watch.fail(new Error('down'));
};
const longestPauses = { rng: () => 0.999_999, reconnect: { baseMs: 100, capMs: 1_600 } };

describe('a watch that fails', () => {
  it('is begun again, with full jitter below a bound that doubles up to the cap, and never given up', async () => {
    const { clock, backend, following } = startFollowing({}, failing);
    while (backend.watches.length <= 200) await clock.advance(15_000);
    for (const [n, pause] of pausesOf(backend).entries()) {
      expect(pause).toBeLessThan(Math.min(15_000, 100 * 2 ** n));
    }
    const late = pausesOf(backend).slice(20);
    expect(Math.max(...late)).toBeGreaterThan(14_000);
    expect(Math.min(...late)).toBeLessThan(1_000);
    expect(late.reduce((sum, pause) => sum + pause) / late.length / 7_500).toBeCloseTo(1, 0);

    backend.onWatch = (watch) => watch.yield(order(1));
    await clock.advance(15_000);
    expect(following.view.state).toBe('live');
  });

  it('is told of each time, with the reason, whatever the listener makes of it', async () => {
    const reasons: unknown[] = [];
    const onLost = (error: unknown): never => {
      reasons.push(error);
      throw new Error('a bug of the listener');
    };
    const { loses, reconnects, sees, following } = startFollowing({ onLost });
    const [first, second] = [new Error('lost'), new Error('lost again')];
    await loses(first);
    await reconnects();
    await sees(order(1));
    await loses(second);
    await reconnects();
    expect(reasons).toEqual([first, second]);
    expect(following.view.state).toBe('stale');
  });

  it('has the pauses that are asked for', async () => {
    const { clock, backend } = startFollowing(longestPauses, failing);
    await clock.advance(8_000);
    expect(pausesOf(backend).map(Math.round)).toEqual([100, 200, 400, 800, 1_600, 1_600, 1_600, 1_600]);
  });

  it('has no pause that is longer than the trouble so far by more than a second, however short those before it were', async () => {
    let draws = 0;
    const rng = (): number => (draws++ < 9 ? 0.01 : 0.999_999);
    const { clock, backend } = startFollowing({ rng }, failing);
    await clock.advance(60_000);
    const [tenth = 0, ...later] = pausesOf(backend).slice(9);
    expect(tenth).toBeGreaterThan(1_000);
    expect(tenth).toBeLessThan(1_600);
    expect(Math.max(...later)).toBeGreaterThan(14_000);
  });

  it('starts over with the shortest pause after it was in sync for 10 s', async () => {
    const { clock, backend, sees, loses } = startFollowing(longestPauses, failing);
    await clock.advance(3_000);
    backend.onWatch = () => undefined;
    await clock.advance(1_600);
    await sees(order(1));
    await clock.advance(10_000);
    const before = backend.watches.length;
    await loses();
    await clock.advance(100);
    expect(backend.watches).toHaveLength(before + 1);
  });

  it('does not start over when it was in sync for less', async () => {
    const { clock, backend, sees, loses } = startFollowing(longestPauses, failing);
    await clock.advance(3_000);
    backend.onWatch = () => undefined;
    await clock.advance(1_600);
    await sees(order(1));
    await clock.advance(9_999);
    const before = backend.watches.length;
    await loses();
    await clock.advance(1_599);
    expect(backend.watches).toHaveLength(before);
    await clock.advance(1);
    expect(backend.watches).toHaveLength(before + 1);
  });

  it('does not start over when it was silent for long', async () => {
    const { clock, backend } = startFollowing({ ...longestPauses, firstSnapshotTimeoutMs: 20_000 });
    await clock.advance(120_000);
    expect(pausesOf(backend).map(Math.round)).toEqual([20_100, 20_200, 20_400, 20_800, 21_600]);
  });

  it('is not begun again in a hurry by a server that closes every watch right after its first snapshot', async () => {
    const { clock, backend, views } = startFollowing({}, (script) => {
      script.onWatch = (watch) => {
        watch.yield(order(1));
        watch.end();
      };
    });
    await clock.advance(60_000);
    expect(backend.watches.length).toBeGreaterThan(5);
    expect(backend.watches.length).toBeLessThan(30);
    expect(views.at(-1)).toMatchObject({ state: 'stale', instances: [order(1)] });
  });
});

describe('a watch has failed, and the next one is begun, when it', () => {
  const error = new Error('lost');

  it('throws before it returns anything', async () => {
    const { clock, backend, following } = startFollowing({}, (script) => {
      script.onWatch = () => {
        throw error;
      };
    });
    await clock.advance(0);
    expect(following.view.error).toBe(error);
    await clock.advance(100);
    expect(backend.watches.length).toBeGreaterThan(1);
  });

  it('is nothing that can be read', async () => {
    const { clock, backend, following } = startFollowing({}, (script) => {
      script.watch = (service, { signal }) => {
        script.watches.push({ service, signal, state: 'new' } as never);
        return {} as never;
      };
    });
    await clock.advance(0);
    expect(following.view.error).toBeInstanceOf(TypeError);
    await clock.advance(100);
    expect(backend.watches.length).toBeGreaterThan(1);
  });

  it.each([['text'], [7], [null], [undefined]])('throws %o, which is no error', async (thrown) => {
    const { clock, backend, following, sees, reconnects } = startFollowing();
    await sees(order(1));
    backend.current.fail(thrown);
    await clock.advance(0);
    expect(following.view.state).toBe('stale');
    expect(following.view.error).toEqual(thrown ?? expect.any(BackendUnavailableError));
    await reconnects();
    await sees(order(1));
    expect(following.view).toMatchObject({ state: 'live', error: undefined });
  });

  it('ends', async () => {
    const { clock, backend, following, sees, reconnects } = startFollowing();
    await sees(order(1));
    backend.current.end();
    await clock.advance(0);
    expect(following.view).toMatchObject({ state: 'stale', error: { code: 'ERR_SD_BACKEND_UNAVAILABLE' } });
    expect(String(following.view.error)).toContain('Backend "scripted": the watch of "orders" ended');
    await reconnects();
  });

  it('has not yielded its first snapshot in time', async () => {
    const { clock, backend, following, reconnects } = startFollowing({ firstSnapshotTimeoutMs: 3_000 });
    await clock.advance(2_999);
    expect(following.view.error).toBeUndefined();
    await clock.advance(1);
    expect(following.view).toMatchObject({ state: 'connecting', error: { service: 'orders' } });
    expect(String(following.view.error)).toContain('no snapshot of "orders" within 3000 ms');
    expect(backend.watches[0]).toMatchObject({ signal: { aborted: true }, state: 'cleaned up' });
    await reconnects();
  });

  it('has not yielded its first snapshot in time, even if it ignores its signal', async () => {
    const { following, sees, reconnects } = startFollowing({}, (script) => {
      script.onWatch = (watch) => (watch.deaf = script.watches.length === 1);
    });
    await reconnects();
    await sees(order(1));
    expect(following.view.state).toBe('live');
  });

  it('did so but once: there is no limit for the second snapshot', async () => {
    const { clock, backend, following, sees } = startFollowing();
    await sees(order(1));
    await clock.advance(86_400_000);
    await sees(order(2));
    expect(following.view).toMatchObject({ state: 'live', instances: [order(2)] });
    expect(backend.watches).toHaveLength(1);
  });
});

describe('a watch that has failed', () => {
  it('is told to stop and is cleaned up before the next one begins', async () => {
    const { clock, backend, sees } = startFollowing();
    await sees(order(1));
    const [first] = backend.watches;
    backend.current.yieldAnything('junk');
    await clock.advance(0);
    expect(first).toMatchObject({ signal: { aborted: true }, state: 'cleaned up' });
    expect(backend.watches).toHaveLength(1);
  });

  it('may fail in its clean-up, too', async () => {
    const cleanUpError = new Error('socket already closed');
    const { clock, backend, following, logger, sees, reconnects } = startFollowing();
    await sees(order(1));
    backend.current.cleanUpError = cleanUpError;
    backend.current.yieldAnything('junk');
    await clock.advance(0);
    expect(logger.entries).toContainEqual({
      level: 'debug',
      message: 'Cleaning up after a watch of "orders" failed',
      details: { error: cleanUpError },
    });
    await reconnects();
    await sees(order(1));
    expect(following.view.state).toBe('live');
  });

  it('need not have a clean-up', async () => {
    const { clock, backend, following } = startFollowing({}, (script) => {
      script.onWatch = ({ signal }) => {
        script.watches.at(-1)![Symbol.asyncIterator] = () =>
          ({
            next: () => new Promise((_, reject) => signal.addEventListener('abort', reject)),
          }) as never;
      };
    });
    await clock.advance(10_000 + 100);
    expect(backend.watches.length).toBeGreaterThan(1);
    expect(following.view.state).toBe('connecting');
  });
});
