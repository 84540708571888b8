import type { FaultName, HistoryEvent, Method, Role } from '../history.ts';
import { bounds } from './bounds.ts';

/** What a history says, arranged by what it is about. Times are those of the history. */
export interface Facts {
  readonly providers: readonly Provider[];
  readonly consumers: readonly Consumer[];
  /** What was wrong with the store, or with somebody's way to it. */
  readonly troubles: readonly Trouble[];
  /** When the store had something beside the instances that nobody can read. */
  readonly badEntries: readonly Interval[];
  /** Everything was there for the first time. */
  readonly begunAt: number;
  /** The last fault had ended; Infinity while there are some. */
  readonly calmAt: number;
  /** The observation ended; until then, now. */
  readonly overAt: number;
  /** The longest time for which a process could not run that should have, in milliseconds. */
  readonly stalledMs: number;
  /** The same of the harness. */
  readonly proxiesStalledMs: number;
  /** What was done for POSTs, by whom. */
  readonly done: readonly { readonly t: number; readonly who: string; readonly order: string }[];
  /** Ports that a fresh client found. */
  readonly listed: ReadonlyMap<'calm' | 'ended', readonly number[]>;
}

export interface Interval {
  readonly from: number;
  /** Infinity: it has not ended. */
  readonly to: number;
}

interface Process {
  readonly who: string;
  readonly role: Role;
  /** When it was told to leave, whatever for. */
  readonly toldAt: number;
  readonly exit: Exit | undefined;
  readonly uncaught: readonly { readonly t: number; readonly text: string }[];
}

export interface Exit {
  readonly t: number;
  readonly code: number | null;
  readonly signal: string | null;
  readonly killed: boolean;
}

export interface Provider extends Process {
  readonly port: number;
  readonly listeningAt: number;
  readonly states: readonly {
    readonly t: number;
    readonly value: string;
    readonly code?: string | undefined;
  }[];
  readonly frozen: readonly Interval[];
  /** It had deregistered, as far as the store let it. */
  readonly drainedAt: number;
  /** It took no more requests, whatever the reason. */
  readonly goneAt: number;
}

export interface Consumer extends Process {
  readonly views: readonly View[];
  readonly frozen: readonly Interval[];
  /** When its requests did not get to a provider, or answers not back. */
  readonly cuts: readonly Cut[];
  readonly calls: readonly Call[];
  /** When it had met an entry that it could not read. */
  readonly malformedAt: number;
}

export interface Cut extends Interval {
  readonly provider: string;
}

export interface View extends Interval {
  readonly state: string;
  readonly held: number;
  readonly ports: readonly number[];
  readonly serving: readonly number[];
}

export interface Call extends Interval {
  readonly call: number;
  readonly method: Method;
  /** Infinity: its caller waited for it. */
  readonly cancelledAt: number;
  readonly attempts: readonly { readonly t: number; readonly port: number; readonly as: string }[];
  /** The port of who answered. */
  readonly answeredBy: number | undefined;
  /** Undefined: it answered, or has not ended. */
  readonly failure: { readonly code: string | undefined; readonly text: string } | undefined;
}

export interface Trouble extends Interval {
  readonly fault: FaultName;
  /** `store`, or the process whose way it is. */
  readonly of: string;
  /** Whether it is out of reach, and not only slow. */
  readonly isAway: boolean;
}

const storeFaults: readonly FaultName[] = ['kill-store', 'wipe-store', 'freeze-store', 'reform-store'];
/** Of the way to the store, or as good as that: who is frozen does not hear of it either. */
const linkFaults: readonly FaultName[] = ['cut-off', 'refuse', 'reset', 'slow-link', 'freeze-consumer'];

export function factsOf(history: readonly HistoryEvent[]): Facts {
  const last = history.at(-1)?.t ?? 0;
  const timeOf = (kind: HistoryEvent['kind']): number =>
    history.find((event) => event.kind === kind)?.t ?? Infinity;
  const overAt = Math.min(timeOf('over'), last);
  const spawned = history.flatMap((event) => (event.kind === 'spawned' ? [event] : []));
  const own = (who: string): readonly HistoryEvent[] => history.filter((event) => event.who === who);
  return {
    providers: spawned.flatMap(({ who, role }) =>
      role === 'provider' ? [providerOf(who, own(who), history)] : [],
    ),
    consumers: spawned.flatMap(({ who, role }) =>
      role === 'consumer' ? [consumerOf(who, own(who), history)] : [],
    ),
    troubles: [...troublesIn(history), ...lostWithoutSentinels(history)],
    badEntries: intervalsOf(history, ['bad-entry']),
    begunAt: timeOf('begun'),
    calmAt: timeOf('calm'),
    overAt,
    stalledMs: longestStall(history),
    proxiesStalledMs: Math.max(
      0,
      ...history.flatMap((event) => (event.kind === 'stalled' && event.who === 'harness' ? [event.ms] : [])),
    ),
    done: history.flatMap((event) => (event.kind === 'done' ? [event] : [])),
    listed: new Map(history.flatMap((event) => (event.kind === 'listed' ? [[event.when, event.ports]] : []))),
  };
}

export const overlaps = (one: Interval, other: Interval): boolean =>
  one.from <= other.to && other.from <= one.to;

function troublesIn(history: readonly HistoryEvent[]): readonly Trouble[] {
  return intervalsOf(history, [...storeFaults, ...linkFaults]).flatMap(({ fault, targets, from, to }) =>
    targets.map((of) => ({
      fault,
      of,
      from,
      to,
      isAway: fault !== 'slow-link' && fault !== 'freeze-consumer',
    })),
  );
}

/**
 * While all sentinels are away nothing happens to those who have a connection, so that this is no trouble of the store. But
 * nobody tells where it is to those who have lost theirs, or have none yet.
 */
function lostWithoutSentinels(history: readonly HistoryEvent[]): readonly Trouble[] {
  const losses = intervalsOf(history, [...storeFaults, ...linkFaults, 'freeze-provider']);
  const gaps = [
    ...losses.map(({ targets, from, to }) => ({ targets, from, to: to + bounds.backMs })),
    ...history.flatMap(({ kind, who, t }) =>
      kind === 'spawned' ? [{ targets: [who], from: t, to: connectedAt(who, history) }] : [],
    ),
  ];
  return intervalsOf(history, ['kill-sentinels', 'freeze-sentinels'])
    .filter(({ targets }) => targets.includes('sentinels'))
    .flatMap((away) =>
      gaps
        .filter((gap) => overlaps(gap, away))
        .flatMap(({ targets, from }) =>
          targets.map((of) => ({ ...away, of, from: Math.max(from, away.from), isAway: false })),
        ),
    );
}

const connectedAt = (who: string, history: readonly HistoryEvent[]): number =>
  history.find(
    (event) =>
      event.who === who &&
      ((event.kind === 'state' && event.value === 'published') ||
        (event.kind === 'view' && event.state === 'live')),
  )?.t ?? Infinity;

/** A process that starts has no say yet; from its start to its first word it takes half a second. */
const startMs = 500;

function longestStall(history: readonly HistoryEvent[]): number {
  const frozen = intervalsOf(history, ['freeze-provider', 'freeze-consumer']);
  const isOwn = ({ t, who }: HistoryEvent): boolean =>
    frozen.some(({ targets, from, to }) => targets.includes(who) && from <= t && t <= to + 1_000);
  const stalls = history.flatMap((event) => (event.kind === 'stalled' && !isOwn(event) ? [event.ms] : []));
  const starts = history.flatMap((event) => {
    const word = history.find(
      ({ kind, who }) => who === event.who && (kind === 'listening' || kind === 'call'),
    );
    return event.kind === 'spawned' && word !== undefined ? [word.t - event.t - startMs] : [];
  });
  return Math.max(0, ...stalls, ...starts);
}

function providerOf(who: string, own: readonly HistoryEvent[], history: readonly HistoryEvent[]): Provider {
  const process = processOf(who, 'provider', own);
  const listening = own.find((event) => event.kind === 'listening');
  const drainedAt = own.find((event) => event.kind === 'drained')?.t ?? Infinity;
  return {
    ...process,
    port: listening?.port ?? 0,
    listeningAt: listening?.t ?? Infinity,
    states: own.flatMap((event) => (event.kind === 'state' ? [event] : [])),
    frozen: frozenOf(who, history, 'freeze-provider'),
    drainedAt,
    goneAt: Math.min(
      own.find((event) => event.kind === 'closing')?.t ?? Infinity,
      drainedAt,
      killedAt(who, history),
      process.exit?.t ?? Infinity,
    ),
  };
}

const frozenOf = (who: string, history: readonly HistoryEvent[], fault: FaultName): readonly Interval[] =>
  intervalsOf(history, [fault]).filter(({ targets }) => targets.includes(who));

/** The fault begins before the signal is sent. */
function killedAt(who: string, history: readonly HistoryEvent[]): number {
  const kill = intervalsOf(history, ['kill-provider']).find(({ targets }) => targets.includes(who));
  return kill?.from ?? Infinity;
}

function consumerOf(who: string, own: readonly HistoryEvent[], history: readonly HistoryEvent[]): Consumer {
  const process = processOf(who, 'consumer', own);
  const end = process.exit?.t ?? Infinity;
  const seen = own.flatMap((event) => (event.kind === 'view' ? [event] : []));
  const views = seen.map(({ t, state, held, ports, serving }, index): View => {
    return { from: t, to: seen[index + 1]?.t ?? end, state, held, ports, serving };
  });
  return {
    ...process,
    views,
    frozen: frozenOf(who, history, 'freeze-consumer'),
    cuts: cutsOf(who, history),
    calls: callsOf(own),
    malformedAt: own.find((event) => event.kind === 'malformed')?.t ?? Infinity,
  };
}

/** Whoever follows in the place of another has the same ways. */
function cutsOf(who: string, history: readonly HistoryEvent[]): readonly Cut[] {
  const place = who.slice(0, who.indexOf('.'));
  return intervalsOf(history, ['cut-call'])
    .filter(({ targets }) => targets.includes(place))
    .flatMap(({ from, to, targets: [provider = ''] }) => ({ from, to, provider }));
}

function callsOf(own: readonly HistoryEvent[]): readonly Call[] {
  const attempts = new Map<number, Call['attempts'][number][]>();
  for (const event of own) {
    if (event.kind !== 'attempt') continue;
    const others = attempts.get(event.call) ?? [];
    attempts.set(event.call, [...others, event]);
  }
  const ends = new Map(
    own.flatMap((event) =>
      event.kind === 'answered' || event.kind === 'failed' ? [[event.call, event] as const] : [],
    ),
  );
  const cancelled = new Map(
    own.flatMap((event) => (event.kind === 'cancelled' ? [[event.call, event.t] as const] : [])),
  );
  return own.flatMap((event) => {
    if (event.kind !== 'call') return [];
    const end = ends.get(event.call);
    return [
      {
        call: event.call,
        method: event.method,
        cancelledAt: cancelled.get(event.call) ?? Infinity,
        from: event.t,
        to: end?.t ?? Infinity,
        attempts: attempts.get(event.call) ?? [],
        answeredBy: end?.kind === 'answered' ? end.port : undefined,
        failure: end?.kind === 'failed' ? end : undefined,
      },
    ];
  });
}

function processOf(who: string, role: Role, own: readonly HistoryEvent[]): Process {
  const exit = own.find((event) => event.kind === 'exited');
  return {
    who,
    role,
    toldAt: own.find((event) => event.kind === 'told')?.t ?? Infinity,
    exit,
    uncaught: own.flatMap((event) => (event.kind === 'uncaught' ? [event] : [])),
  };
}

interface FaultInterval extends Interval {
  readonly fault: FaultName;
  readonly targets: readonly string[];
}

function intervalsOf(
  history: readonly HistoryEvent[],
  faults: readonly FaultName[],
): readonly FaultInterval[] {
  const events = history.flatMap((event) => (event.kind === 'fault' ? [event] : []));
  return events
    .filter(({ phase, fault }) => phase === 'begins' && faults.includes(fault))
    .map(({ t, number, fault, targets }) => {
      const end = events.find((event) => event.phase === 'ends' && event.number === number);
      return { from: t, to: end?.t ?? Infinity, fault, targets };
    });
}
