import { describe, expect, it } from 'vitest';
import { bounds } from '../checker/bounds.ts';
import { check, invariants, isSettled } from '../checker/check.ts';
import { allPorts, MadeHistory, portOf, times } from './made-history.ts';

/** The names of what does not hold. */
const broken = (history: MadeHistory): readonly string[] => [
  ...new Set(check(history.events, { saysStale: true }).violations.map(({ invariant }) => invariant)),
];

const [first, second, third] = allPorts;

describe('a history that is as it should be', () => {
  it('breaks nothing', () => expect(broken(new MadeHistory())).toEqual([]));

  it('has a provider that died and vanished, and calls that succeeded elsewhere', () =>
    expect(broken(new MadeHistory().killed('provider-3.1', 5_000, 2_000))).toEqual([]));

  it('has a store that was away, and views that said so', () => {
    const history = new MadeHistory().fault('kill-store', 'store', 5_000, 8_000);
    for (const who of ['consumer-1.1', 'consumer-2.1'])
      history.view(5_050, who, allPorts, 'stale').view(8_200, who, allPorts);
    expect(broken(history)).toEqual([]);
  });

  it('has a provider that was frozen for longer than its ttl, and came back', () => {
    const history = new MadeHistory().fault('freeze-provider', 'provider-1.1', 5_000, 9_000);
    history.plus(9_100, 'provider-1.1', { kind: 'state', value: 'lost', code: 'ERR_SD_LEASE_LOST' });
    history.plus(9_300, 'provider-1.1', { kind: 'state', value: 'published' });
    for (const who of ['consumer-1.1', 'consumer-2.1'])
      history.view(7_500, who, [second!, third!]).view(9_350, who, allPorts);
    expect(broken(history)).toEqual([]);
  });

  it('has a consumer that was killed amid a call, and another in its place', () => {
    const history = new MadeHistory().plus(4_999, 'consumer-1.1', {
      kind: 'call',
      call: 9_999,
      method: 'GET',
    });
    expect(broken(history.killedConsumer(1, 5_000, 3_000))).toEqual([]);
  });

  it('has a consumer that was frozen, whose call failed and whose view was behind when it ran again', () => {
    const history = new MadeHistory().killed('provider-3.1', 6_000, 5_000);
    history.fault('freeze-consumer', 'consumer-1.1', 5_000, 9_000).fault('kill-store', 'store', 5_500, 8_500);
    history.view(5_550, 'consumer-2.1', allPorts, 'stale').view(8_600, 'consumer-2.1', allPorts);
    history.failedCall(4_990, 9_010, 'ERR_SD_DEADLINE_EXCEEDED');
    expect(broken(history)).toEqual([]);
  });

  it('has a call that was repeated elsewhere, one that was cancelled, and a POST that was done and failed', () => {
    const history = new MadeHistory().call(5_000, { attempts: [first!, second!], answered: 5_060 });
    history.call(5_100, { attempts: [first!], cancelled: 5_102, failed: 5_103 });
    history.call(5_200, { method: 'POST', attempts: [first!], failed: 5_290 });
    history.plus(5_201, 'provider-1.1', { kind: 'done', order: '/orders/consumer-1.1/105200' });
    expect(broken(history)).toEqual([]);
  });

  it('has a call that was cancelled by somebody who was frozen then', () => {
    const history = new MadeHistory().fault('freeze-consumer', 'consumer-1.1', 5_105, 6_500);
    history.call(5_000, { attempts: [first!], cancelled: 5_100, failed: 6_510 });
    expect(broken(history)).toEqual([]);
  });

  it('has a call that was cancelled by somebody who was killed then', () => {
    const history = new MadeHistory().without(({ who, t }) => who === 'consumer-1.1' && t > 5_000);
    history.call(5_000, { attempts: [first!], cancelled: 5_100 });
    history.fault('kill-consumer', 'consumer-1.1', 5_105, 5_500);
    history.plus(5_110, 'consumer-1.1', { kind: 'exited', code: null, signal: 'SIGKILL', killed: true });
    expect(broken(history)).toEqual([]);
  });

  it('has views that are live again before the harness knows that the store is back', () => {
    const back = 5_000 + bounds.noticeDownMs - 10;
    const history = new MadeHistory().fault('kill-store', 'store', 5_000, back + 100);
    for (const consumer of ['consumer-1.1', 'consumer-2.1'])
      history.view(5_010, consumer, allPorts, 'stale').view(back, consumer, allPorts);
    expect(broken(history)).toEqual([]);
  });

  it('has a call that was sent to the same instance again when all others were gone', () => {
    const history = new MadeHistory().killed('provider-3.1', 4_000, 500);
    history.fault('freeze-provider', 'provider-2.1', 4_000, 6_000);
    history.call(5_000, { attempts: [first!, second!, first!], answered: 5_060 });
    expect(broken(history)).toEqual([]);
  });

  it('has bad entries that are reported, and are not where nobody can have read them', () => {
    const moment = new MadeHistory().fault('bad-entry', 'store', 5_000, 5_300);
    expect(broken(moment)).toEqual([]);
    const cutOff = new MadeHistory().badEntry(6_000, 8_000).fault('cut-off', 'consumer-1.1', 5_000, 9_000);
    cutOff.view(7_500, 'consumer-1.1', allPorts, 'stale').view(9_100, 'consumer-1.1', allPorts);
    cutOff.without(({ kind, who }) => kind === 'malformed' && who === 'consumer-1.1');
    expect(broken(cutOff)).toEqual([]);
  });

  it('has a provider that died while there was a bad entry', () =>
    expect(broken(new MadeHistory().badEntry(5_000, 8_000).killed('provider-3.1', 5_000, 2_000))).toEqual(
      [],
    ));

  it('has calls of a consumer, and of the one after it, that failed while it reached nobody', () => {
    const failed = () => cutOff(new MadeHistory()).failedCall(6_000, 8_000, 'ERR_SD_DEADLINE_EXCEEDED');
    expect(broken(failed())).toEqual([]);
    const later = failed().killedConsumer(1, 8_010, 900);
    expect(broken(later.failedCall(9_300, 9_400, 'ERR_SD_CONNECTION', 'consumer-1.2'))).toEqual([]);
  });

  it('has a call that was sent to the same instance again when its consumer did not reach the third', () => {
    const history = new MadeHistory().fault('cut-call', ['provider-3.1', 'consumer-1'], 4_900, 5_200);
    history.call(5_000, { attempts: [first!, second!, first!], answered: 5_060 });
    expect(broken(history)).toEqual([]);
  });

  it('has a provider that was started while no sentinel was there, and took long to leave', () => {
    const history = new MadeHistory().fault('kill-sentinels', 'sentinels', 5_000, 9_000);
    const who = 'provider-4.1';
    history.plus(5_500, who, { kind: 'spawned', role: 'provider' }, { kind: 'listening', port: 1_004 });
    history.plus(6_000, who, { kind: 'told', to: 'drain' });
    history.plus(6_000 + bounds.exitMs + 500, who, {
      kind: 'exited',
      code: 0,
      signal: null,
      killed: false,
    });
    expect(broken(history)).toEqual([]);
  });

  it('has calls that failed while nobody was there', () => {
    const history = new MadeHistory();
    history
      .view(5_000, 'consumer-1.1', [])
      .failedCall(5_100, 5_200, 'ERR_SD_UNKNOWN_SERVICE')
      .view(5_300, 'consumer-1.1', allPorts);
    const others = broken(history).filter(
      (name) => name !== 'no view drops more than half of those who live',
    );
    expect(others).toEqual([]);
  });
});

/** For the sixth second. */
function allFrozen(history: MadeHistory): MadeHistory {
  for (const [index, who] of Object.keys(portOf).entries())
    history.fault('freeze-provider', who, 5_000 + index, 6_000);
  return history;
}

/** The first consumer reaches nobody for three seconds. */
function cutOff(history: MadeHistory): MadeHistory {
  for (const [index, who] of Object.keys(portOf).entries())
    history.fault('cut-call', [who, 'consumer-1'], 5_000 + index, 8_000);
  return history.without(
    ({ kind, who, t }) =>
      who === 'consumer-1.1' && ['call', 'attempt', 'answered'].includes(kind) && t > 4_990 && t < 8_000,
  );
}

/** One planted violation for each. */
const planted: Readonly<Record<string, () => MadeHistory>> = {
  'no process crashes or ends by itself': () =>
    new MadeHistory().plus(5_000, 'consumer-1.1', { kind: 'uncaught', text: 'TypeError: no' }),

  'no call lasts longer than its deadline': () =>
    new MadeHistory()
      .plus(5_000, 'consumer-1.1', { kind: 'call', call: 9_999, method: 'GET' })
      .plus(9_000, 'consumer-1.1', { kind: 'answered', call: 9_999, port: first! }),

  'no call fails while a healthy provider can be reached': () => new MadeHistory().failedCall(5_000, 5_100),

  'nobody is answered by a provider that it is cut off from': () =>
    new MadeHistory().fault('cut-call', ['provider-1.1', 'consumer-1'], 5_000, 9_000),

  'a bad entry costs nobody else its place in a view': () =>
    new MadeHistory()
      .badEntry(5_000, 8_000)
      .view(6_000, 'consumer-1.1', [first!, second!])
      .view(6_100, 'consumer-1.1', allPorts),

  'a bad entry is reported by whoever reads it': () =>
    new MadeHistory()
      .badEntry(5_000, 8_000)
      .without(({ kind, who }) => kind === 'malformed' && who === 'consumer-2.1'),

  'nothing is reported as a bad entry that is none': () =>
    new MadeHistory().plus(4_900, 'consumer-1.1', { kind: 'malformed', count: 1, problem: 'no port' }),

  'nobody is in a view who is no provider': () =>
    new MadeHistory().view(5_000, 'consumer-1.1', [...allPorts, 1_004]).view(5_100, 'consumer-1.1', allPorts),

  'every failure has a code of its own': () =>
    allFrozen(new MadeHistory()).failedCall(5_100, 5_200, 'ECONNRESET'),

  'a retry or hedge goes to another instance while there is one': () =>
    new MadeHistory().call(5_000, { attempts: [first!, second!, first!], answered: 5_060 }),

  'retries and hedges stay within their budget': () => {
    const history = new MadeHistory();
    for (let n = 0; n < 20; n += 1)
      history.call(5_000 + n, { attempts: [first!, second!, third!], answered: 5_060 });
    return history;
  },

  'what is not idempotent is done once at most': () =>
    new MadeHistory()
      .plus(5_000, 'provider-1.1', { kind: 'done', order: '/orders/consumer-1.1/7' })
      .plus(5_500, 'provider-2.1', { kind: 'done', order: '/orders/consumer-1.1/7' }),

  'a call that is cancelled ends at once, and begins nothing more': () =>
    new MadeHistory().call(5_000, {
      attempts: [first!],
      cancelled: 5_100,
      failed: 5_110 + bounds.deadlineSlackMs,
    }),

  'after the last fault every view is live and has everybody who lives': () =>
    new MadeHistory().view(20_000, 'consumer-2.1', [first!, second!]),

  'nobody is in a view twice': () =>
    new MadeHistory()
      .view(5_000, 'consumer-1.1', [...allPorts, third!])
      .view(5_100, 'consumer-1.1', allPorts),

  'whoever died or left is gone from all views within its ttl': () =>
    new MadeHistory().killed('provider-3.1', 5_000, bounds.goneMs + 500),

  'no view drops more than half of those who live': () =>
    new MadeHistory().view(9_000, 'consumer-1.1', [first!]).view(9_500, 'consumer-1.1', allPorts),

  'views say that they are stale while the store is away, and only then': () =>
    new MadeHistory().fault('kill-store', 'store', 5_000, 9_000),

  'nobody calls an instance whose drain has ended': () =>
    new MadeHistory()
      .without(({ who, kind }) => who === 'provider-3.1' && ['told', 'drained', 'exited'].includes(kind))
      .without(({ kind, t }) => kind === 'listed' && t < times.end)
      .without(
        (event) => event.kind === 'attempt' && event.port === portOf['provider-3.1'] && event.t > 5_500,
      )
      .plus(5_000, 'provider-3.1', { kind: 'told', to: 'drain' })
      .plus(
        5_600,
        'provider-3.1',
        { kind: 'drained' },
        { kind: 'exited', code: 0, signal: null, killed: false },
      )
      .view(5_050, 'consumer-1.1', [first!, second!])
      .view(5_050, 'consumer-2.1', [first!, second!])
      .plus(times.over + 10, 'harness', { kind: 'listed', when: 'calm', ports: [first!, second!] })
      .plus(6_000, 'consumer-1.1', { kind: 'attempt', call: 99, port: third!, as: 'first' }),

  'whoever lives is published again, and stays so': () =>
    new MadeHistory()
      .fault('wipe-store', 'store', 29_000, 29_500)
      .plus(29_900, 'provider-2.1', { kind: 'state', value: 'lost', code: 'ERR_SD_LEASE_LOST' }),

  'no registration is lost without trouble, or to a process that is not there': () =>
    new MadeHistory()
      .fault('jump-clock', 'provider-2.1', 5_000, 5_001)
      .plus(5_300, 'provider-2.1', { kind: 'state', value: 'lost', code: 'ERR_SD_LEASE_LOST' })
      .plus(5_400, 'provider-2.1', { kind: 'state', value: 'published' }),

  'in the end the store has everybody who lives once, and nobody when all have left': () =>
    new MadeHistory()
      .without(({ kind, t }) => kind === 'listed' && t < times.end)
      .plus(times.over + 10, 'harness', { kind: 'listed', when: 'calm', ports: [...allPorts, third!] }),

  'a process that is told to leave ends with code 0, and leaves nothing open': () =>
    new MadeHistory()
      .without(({ who, kind }) => who === 'consumer-1.1' && kind === 'exited')
      .plus(times.over + 900, 'consumer-1.1', {
        kind: 'exited',
        code: null,
        signal: 'SIGKILL',
        killed: false,
      }),

  'a process that is told to leave ends soon': () =>
    new MadeHistory()
      .without(({ who, kind }) => who === 'consumer-1.1' && kind === 'exited')
      .plus(times.over + 9_000, 'consumer-1.1', { kind: 'exited', code: 0, signal: null, killed: false }),

  'consumers call at their rate, and are answered': () =>
    new MadeHistory().without(({ who, kind, t }) => who === 'consumer-1.1' && kind === 'call' && t > 10_000),
};

describe('the checker', () => {
  it('has a planted violation for each invariant', () =>
    expect(Object.keys(planted).sort()).toEqual(invariants.map(({ name }) => name).sort()));

  it.each(Object.entries(planted))('finds that it does not hold: %s', (name, make) =>
    expect(broken(make())).toEqual([name]),
  );

  it('finds that a view does not say that it is stale while it is cut off from a store of several servers', () => {
    const history = new MadeHistory().fault('cut-off', 'consumer-1.1', 5_000, 9_000);
    expect(check(history.events, { saysStale: false }).violations).toHaveLength(1);
  });

  describe('finds that somebody who is connected notices that all sentinels are away:', () => {
    const away = () => new MadeHistory().fault('freeze-sentinels', 'sentinels', 9_000, 13_000);

    it('a view is stale', () => {
      const history = away().view(10_000, 'consumer-1.1', allPorts, 'stale');
      expect(broken(history.view(13_100, 'consumer-1.1', allPorts))).toEqual([
        'views say that they are stale while the store is away, and only then',
      ]);
    });

    it('a registration is lost', () => {
      const history = away().plus(12_000, 'provider-1.1', {
        kind: 'state',
        value: 'lost',
        code: 'ERR_SD_LEASE_LOST',
      });
      history.plus(13_100, 'provider-1.1', { kind: 'state', value: 'published' });
      expect(broken(history)).toEqual([
        'no registration is lost without trouble, or to a process that is not there',
      ]);
    });
  });

  describe('finds that a call fails while a healthy provider can be reached:', () => {
    const failed = ['no call fails while a healthy provider can be reached'];

    it('by this consumer, while the other is cut off from everybody', () => {
      const history = cutOff(new MadeHistory());
      expect(broken(history.failedCall(6_000, 6_100, 'ERR_SD_CONNECTION', 'consumer-2.1'))).toEqual(failed);
    });

    it('another one than the one that it is cut off from', () => {
      const history = new MadeHistory().fault('cut-call', ['provider-1.1', 'consumer-1'], 5_000, 5_700);
      expect(broken(history.failedCall(5_100, 5_600))).toEqual(failed);
    });

    it('long after it was cut off', () => {
      const history = cutOff(new MadeHistory()).failedCall(8_100 + bounds.ejectedMs, 14_000);
      expect(broken(history)).toEqual(failed);
    });

    it('by slow ways', () => {
      const history = new MadeHistory();
      for (const [index, who] of Object.keys(portOf).entries())
        history.fault('slow-call', [who, 'consumer-1'], 5_000 + index, 8_000);
      expect(broken(history.failedCall(6_000, 6_100))).toEqual(failed);
    });
  });

  it('finds that a call is sent to the same instance again though only others did not reach the third', () => {
    const history = new MadeHistory().fault('cut-call', ['provider-3.1', 'consumer-2'], 4_900, 5_200);
    history.call(5_000, { attempts: [first!, second!, first!], answered: 5_060 });
    expect(broken(history)).toEqual(['a retry or hedge goes to another instance while there is one']);
  });

  it('finds that somebody loses its place when a bad entry is taken away', () => {
    const history = new MadeHistory().badEntry(5_000, 8_000);
    history.view(8_300, 'consumer-1.1', [first!, second!]).view(8_400, 'consumer-1.1', allPorts);
    expect(broken(history)).toEqual(['a bad entry costs nobody else its place in a view']);
  });

  it('tells who it was, when, and what', () => {
    const history = new MadeHistory().failedCall(5_000, 5_100);
    expect(check(history.events, { saysStale: true }).violations).toEqual([
      {
        invariant: 'no call fails while a healthy provider can be reached',
        t: 5_100,
        who: 'consumer-1.1',
        text: expect.stringContaining(
          'ERR_SD_CONNECTION though there was provider-1.1, provider-2.1',
        ) as string,
      },
    ]);
  });
});

describe('what is no violation, though it looks like one', () => {
  it('somebody dead whose address another has taken', () => {
    const history = new MadeHistory().killed('provider-3.1', 5_000, 2_000);
    history.without(({ kind, t }) => kind === 'listed' && t < times.end);
    for (const who of ['consumer-1.1', 'consumer-2.1']) history.view(10_100, who, allPorts);
    history
      .plus(9_000, 'provider-3.2', { kind: 'spawned', role: 'provider' })
      .plus(
        10_000,
        'provider-3.2',
        { kind: 'listening', port: third! },
        { kind: 'state', value: 'published' },
      )
      .plus(times.over + 10, 'harness', { kind: 'listed', when: 'calm', ports: allPorts })
      .plus(times.over + 20, 'provider-3.2', { kind: 'told', to: 'end' })
      .plus(times.over + 90, 'provider-3.2', { kind: 'exited', code: 0, signal: null, killed: false });
    expect(broken(history)).toEqual([]);
  });

  it('a call that fails right after a time without anybody, which has spent the retries', () => {
    const history = new MadeHistory().view(5_000, 'consumer-1.1', [first!]);
    history
      .killed('provider-1.1', 4_900, 9_000)
      .failedCall(5_100, 5_200)
      .view(5_300, 'consumer-1.1', allPorts);
    const others = broken(history.failedCall(5_400, 5_500)).filter((name) => name.startsWith('no call'));
    expect(others).toEqual([]);
  });

  it('a call that lasts for as long as its consumer was frozen, and no longer', () => {
    const lasting = (ms: number) =>
      new MadeHistory()
        .fault('freeze-consumer', 'consumer-1.1', 5_000, 9_000)
        .plus(4_900, 'consumer-1.1', { kind: 'call', call: 9_999, method: 'GET' })
        .plus(4_900 + ms, 'consumer-1.1', { kind: 'answered', call: 9_999, port: first! });
    expect(broken(lasting(4_200))).toEqual([]);
    expect(broken(lasting(8_200))).toEqual(['no call lasts longer than its deadline']);
  });

  it('a view of what never says that it is stale', () => {
    const history = new MadeHistory().fault('kill-store', 'store', 5_000, 9_000);
    expect(check(history.events, { saysStale: false }).violations).toEqual([]);
  });

  it('somebody dead who is kept while the store is away', () => {
    const history = new MadeHistory()
      .killed('provider-3.1', 5_000, 9_000)
      .fault('kill-store', 'store', 5_500, 9_500);
    for (const who of ['consumer-1.1', 'consumer-2.1']) history.view(5_550, who, allPorts, 'stale');
    history.without(({ kind, t }) => kind === 'view' && t === 14_000);
    for (const who of ['consumer-1.1', 'consumer-2.1']) history.view(9_600, who, [first!, second!]);
    expect(broken(history)).toEqual([]);
  });

  it('a call that fails while all who are there are frozen', () => {
    const history = allFrozen(new MadeHistory()).failedCall(5_100, 7_100, 'ERR_SD_DEADLINE_EXCEEDED');
    expect(broken(history)).toEqual([]);
  });
});

describe('a machine that had too much to do', () => {
  const stalled = () => new MadeHistory().plus(5_050, 'provider-1.1', { kind: 'stalled', ms: 1_200 });
  const verdict = (history: MadeHistory) => check(history.events, { saysStale: true });

  it('makes broken limits of time doubtful', () => {
    const { violations, doubtful } = verdict(stalled().failedCall(5_000, 5_100));
    expect(violations).toEqual([]);
    expect(doubtful).toHaveLength(1);
  });

  it('is one whose harness, through which all calls go, stood still for the timeout of an attempt', () => {
    const stalledFor = (who: string) =>
      new MadeHistory().plus(5_050, who, { kind: 'stalled', ms: 600 }).failedCall(5_000, 5_100);
    expect(verdict(stalledFor('harness')).violations).toEqual([]);
    expect(verdict(stalledFor('provider-1.1')).violations).toHaveLength(1);
  });

  it('excuses nothing else', () => {
    const history = stalled().plus(5_000, 'consumer-1.1', { kind: 'uncaught', text: 'TypeError: no' });
    expect(verdict(history).violations).toHaveLength(1);
  });

  it('is not one where a process was frozen on purpose', () => {
    const history = stalled()
      .fault('freeze-provider', 'provider-1.1', 3_850, 5_040)
      .failedCall(11_000, 11_100);
    expect(verdict(history).violations).toHaveLength(1);
  });
});

describe('isSettled()', () => {
  it('is true once everybody who lives is in every view', () => {
    const { events } = new MadeHistory();
    const until = (t: number) => events.filter((event) => event.t <= t);
    expect(isSettled(until(199))).toBe(false);
    expect(isSettled(until(200))).toBe(true);
  });

  it('does not wait for a consumer that was killed, but for the one that follows', () => {
    const history = new MadeHistory().view(4_000, 'consumer-1.1', allPorts, 'stale');
    const { events } = history.killedConsumer(1, 5_000, 4_000);
    const until = (t: number) => events.filter((event) => event.t <= t);
    expect(isSettled(until(9_199))).toBe(false);
    expect(isSettled(until(9_200))).toBe(true);
  });

  it('is false while a view has somebody who is gone, or is stale', () => {
    const killed = new MadeHistory().killed('provider-3.1', 5_000, 2_000).events;
    expect(isSettled(killed.filter(({ t }) => t <= 6_000))).toBe(false);
    expect(isSettled(killed.filter(({ t }) => t <= 7_100))).toBe(true);
    const stale = new MadeHistory().view(5_000, 'consumer-1.1', allPorts, 'stale').events;
    expect(isSettled(stale.filter(({ t }) => t <= 6_000))).toBe(false);
  });
});
