import { describe, expect, it } from 'vitest';
import { ClosedError, type ServiceView } from '../src/index.ts';
import { orderList, startFollowing } from './follow-fixture.ts';
import { order } from './orders.ts';

type Fixture = ReturnType<typeof startFollowing>;

/** Every phase that a view can be in when it is closed. */
const phases: readonly (readonly [name: string, reach: (fixture: Fixture) => Promise<unknown>])[] = [
  ['right after it was opened', () => Promise.resolve()],
  ['while it waits for its first snapshot', ({ clock }) => clock.advance(1_000)],
  ['while it is live', ({ sees }) => sees(order(1))],
  [
    'while changes are being collected',
    async ({ sees }) => {
      await sees(order(1));
      await sees(order(2));
    },
  ],
  ['in the pause before its second watch', ({ loses }) => loses()],
  [
    'in the pause after a loss',
    async ({ sees, loses }) => {
      await sees(order(1));
      await loses();
    },
  ],
  [
    'while it waits for the snapshot of its second watch',
    async ({ sees, loses, reconnects }) => {
      await sees(order(1));
      await loses();
      await reconnects();
    },
  ],
  ['while instances are held', hold],
  [
    'while a verification is under way',
    async (fixture) => {
      await hold(fixture);
      await fixture.clock.advance(15_000);
      expect(fixture.backend.lookups).toHaveLength(1);
    },
  ],
  [
    'in the pause after a failed verification',
    async (fixture) => {
      await hold(fixture);
      await fixture.clock.advance(15_000);
      fixture.backend.lookup.fail(new Error('no'));
      await fixture.clock.advance(0);
    },
  ],
];

describe.each(phases)('a view that is closed %s', (_name, reach) => {
  it('leaves no timer, no watch and no request', async () => {
    const fixture = startFollowing();
    await reach(fixture);
    const { clock, backend, following } = fixture;
    following.close();
    expect(clock.pendingTimers).toBe(0);
    expect(backend.watches.every(({ signal }) => signal.aborted)).toBe(true);
    expect(backend.lookups.every(({ signal }) => signal?.aborted)).toBe(true);
    await clock.advance(0);
    expect(backend.watches.every(({ state }) => state === 'cleaned up')).toBe(true);
  });

  it('does not change any more, whatever comes', async () => {
    const fixture = startFollowing();
    await reach(fixture);
    const { clock, backend, following, views } = fixture;
    const [watches, lookups, changes] = [backend.watches.length, backend.lookups.length, views.length];
    following.close();
    following.close();
    const { view } = following;
    backend.current.yield(order(9));
    backend.current.fail(new Error('lost'));
    backend.lookups.at(-1)?.give([]);
    await clock.advance(120_000);
    expect(following.view).toBe(view);
    expect(views).toHaveLength(changes);
    expect([backend.watches.length, backend.lookups.length]).toEqual([watches, lookups]);
  });

  it('rejects ready()', async () => {
    const fixture = startFollowing();
    await reach(fixture);
    fixture.following.close();
    const error = await fixture.following.ready().catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ClosedError);
    expect(error).toMatchObject({
      service: 'orders',
      message: expect.stringContaining('"orders"') as unknown,
    });
  });
});

describe('close()', () => {
  it('rejects who waits for the view', async () => {
    const { following } = startFollowing();
    const ready = following.ready();
    following.close();
    await expect(ready).rejects.toBeInstanceOf(ClosedError);
  });

  it('called by who hears of a loss is the last that is told', async () => {
    const lost: unknown[] = [];
    const fixture = startFollowing({
      onChange: ({ state }) => {
        if (state === 'stale') fixture.following.close();
      },
      onLost: (error) => lost.push(error),
    });
    await fixture.sees(order(1));
    await fixture.loses();
    expect(lost).toEqual([]);
  });

  it('gives the watch the reason', () => {
    const { backend, following } = startFollowing();
    following.close();
    expect(backend.current.signal.reason).toBeInstanceOf(ClosedError);
  });

  it.each<[string, (view: ServiceView) => boolean]>([
    ['the first view', () => true],
    ['the loss', ({ state }) => state === 'stale'],
    ['held instances', ({ held }) => held > 0],
    ['collected changes that a loss brings out', ({ instances }) => instances.length === 2],
  ])('may be called by who hears of %s', async (_what, isIt) => {
    const fixture: Fixture = startFollowing({
      onChange: (view) => {
        seen.push(view);
        if (isIt(view)) fixture.following.close();
      },
    });
    const seen: ServiceView[] = [];
    const { clock, backend, sees } = fixture;
    await sees(...orderList(1, 10));
    backend.current.yield(order(1), order(2));
    backend.current.fail(new Error('lost'));
    await clock.advance(100);
    await sees();
    await clock.advance(60_000);
    expect(seen.filter(isIt)).toHaveLength(1);
    expect(seen.at(-1)).toSatisfy(isIt);
    expect(clock.pendingTimers).toBe(0);
  });

  it('does not wait for a watch that ignores its signal', async () => {
    const { clock, backend, following } = startFollowing({}, (script) => {
      script.onWatch = (watch) => (watch.deaf = true);
    });
    await clock.advance(0);
    following.close();
    await clock.advance(0);
    expect(clock.pendingTimers).toBe(0);
    backend.current.yield(order(1));
    await clock.advance(0);
    expect(backend.current.state).toBe('cleaned up');
  });
});

/** What may happen in the same moment as `close()`: how to get there, and what then happens. */
const moments: readonly (readonly [
  string,
  (fixture: Fixture) => Promise<unknown>,
  (fixture: Fixture) => void,
])[] = [
  ['a first snapshot', () => Promise.resolve(), ({ backend }) => backend.current.yield(order(1))],
  [
    'a snapshot that is to be collected',
    ({ sees }) => sees(order(1)),
    ({ backend }) => backend.current.yield(order(2)),
  ],
  ['a failure', ({ sees }) => sees(order(1)), ({ backend }) => backend.current.fail(new Error('lost'))],
  ['the end of a pause', ({ loses }) => loses(), ({ clock }) => clock.fireLast()],
  ['the end of the doubt', hold, ({ clock }) => clock.fireLast()],
  [
    'a verification',
    async (fixture) => {
      await hold(fixture);
      await fixture.clock.advance(15_000);
    },
    ({ backend }) => backend.lookup.give([]),
  ],
];

describe.each(moments)('close() and %s', (_name, arrive, happens) => {
  it.each([0, 1, 2, 3, 4, 5, 6, 7, 8])('%d promises later: nothing happens any more', async (steps) => {
    const fixture = startFollowing();
    await arrive(fixture);
    happens(fixture);
    for (let step = 0; step < steps; step += 1) await Promise.resolve();
    fixture.following.close();
    const left = stateOf(fixture);
    await fixture.clock.advance(0);
    expect(fixture.clock.pendingTimers).toBe(0);
    expect(stateOf(fixture)).toEqual(left);
  });
});

const stateOf = ({ following, backend, views }: Fixture) => ({
  view: following.view,
  views: views.length,
  watches: backend.watches.length,
  lookups: backend.lookups.length,
});

async function hold({ sees, loses, reconnects, following }: Fixture): Promise<void> {
  await sees(...orderList(1, 10));
  await loses();
  await reconnects();
  await sees();
  expect(following.view.held).toBe(10);
}
