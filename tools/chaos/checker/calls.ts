import { pace } from '../pace.ts';
import { followedAt, troublesOf } from './affairs.ts';
import { bounds, busyMs } from './bounds.ts';
import { overlaps, type Consumer, type Facts, type Interval, type Provider } from './facts.ts';
import type { Invariant } from './violation.ts';

export const callsKeepTheirDeadline: Invariant = {
  name: 'no call lasts longer than its deadline',
  isTimed: true,
  violations: (facts) =>
    facts.consumers.flatMap(({ who, calls, exit, frozen }) =>
      calls.flatMap(({ call, from, to }) => {
        // Those that a consumer never ended, it has hung on until it left.
        const end = Math.min(to, exit?.t ?? facts.overAt);
        const tookMs = end - from - frozenMs(frozen, { from, to: end });
        if (tookMs <= pace.deadlineMs + bounds.deadlineSlackMs) return [];
        return [{ t: from, who, text: `call ${call} took ${tookMs.toFixed(0)} ms` }];
      }),
    ),
};

/** Milliseconds of the span in which it was frozen, and could not keep any time. */
export function frozenMs(frozen: readonly Interval[], span: Interval): number {
  const times = frozen.map(({ from, to }) => Math.min(to, span.to) - Math.max(from, span.from));
  return times.reduce((sum, ms) => sum + Math.max(0, ms), 0);
}

export const failuresHaveCodes: Invariant = {
  name: 'every failure has a code of its own',
  isTimed: false,
  violations: (facts) => [
    ...facts.consumers.flatMap(({ who, calls }) =>
      calls.flatMap(({ call, to, failure, cancelledAt }) => {
        if (failure === undefined || cancelledAt < Infinity || failure.code?.startsWith('ERR_SD_') === true)
          return [];
        return [{ t: to, who, text: `call ${call} failed with ${String(failure.code)}: ${failure.text}` }];
      }),
    ),
    ...facts.providers.flatMap(({ who, states }) =>
      states.flatMap(({ t, value, code }) => {
        if (value !== 'lost' || code === 'ERR_SD_LEASE_LOST') return [];
        return [{ t, who, text: `it lost its registration with the code ${String(code)}` }];
      }),
    ),
  ],
};

/**
 * A call must not fail while somebody was there for all of it: alive, not frozen, not cut off from its consumer, in the view
 * of that one as one that takes requests, and not spared for what it or its predecessor at the same address did a moment
 * ago. Right after a time without anybody a call may fail that meets somebody dead: its retry is paid from a budget, which
 * is then spent. And a call whose consumer was frozen meanwhile may be past its deadline before it can look for the answer.
 * A POST that may have been done is not repeated.
 */
export const callsSucceed: Invariant = {
  name: 'no call fails while a healthy provider can be reached',
  isTimed: true,
  violations: (facts) =>
    facts.consumers.flatMap((consumer) => {
      const failed = consumer.calls.filter(
        (call) =>
          call.failure !== undefined &&
          call.cancelledAt === Infinity &&
          call.method === 'GET' &&
          call.to <= Math.min(facts.overAt, consumer.toldAt) &&
          !consumer.frozen.some((interval) => overlaps(interval, call)),
      );
      const good = new Map(
        failed.map((call) => [
          call,
          facts.providers.filter((provider) => isGoodFor(call, provider, consumer, facts)),
        ]),
      );
      // What failed while nobody was there has spent the retries of the calls that follow.
      const helpless = failed.filter((call) => good.get(call)?.length === 0);
      return failed
        .filter((call) => good.get(call)?.length !== 0)
        .filter(
          (call) =>
            !helpless.some(({ from, to }) => from <= call.to && to > call.from - bounds.retriesBackMs),
        )
        .map((call) => {
          const { code, text } = call.failure ?? {};
          const names = good
            .get(call)
            ?.map(({ who }) => who)
            .join(', ');
          const story = `call ${call.call} failed with ${code ?? 'no code'} though there was ${names}: ${text}`;
          return { t: call.to, who: consumer.who, text: story };
        });
    }),
};

/** Whether it was there for all of that span, as far as the consumer can know. */
export function isGoodFor(
  call: Interval,
  provider: Provider,
  consumer: Consumer,
  { providers }: Facts,
): boolean {
  const { who, port, listeningAt, goneAt, frozen } = provider;
  if (listeningAt > call.from || goneAt <= call.to) return false;
  const recently = { from: call.from - bounds.ejectedMs, to: call.to };
  const cuts = consumer.cuts.filter((cut) => cut.provider === who);
  if ([...frozen, ...cuts].some((interval) => overlaps(interval, recently))) return false;
  const hadAnother = providers.some(
    (other) =>
      other !== provider &&
      other.port === port &&
      other.goneAt > recently.from &&
      other.listeningAt < call.to,
  );
  if (hadAnother) return false;
  const views = consumer.views.filter((view) => overlaps(view, call));
  // Nobody can be called before the first view.
  return (
    views.length > 0 &&
    (views[0]?.from ?? 0) <= call.from &&
    views.every(({ serving }) => serving.includes(port))
  );
}

export const drainedAreLeftAlone: Invariant = {
  name: 'nobody calls an instance whose drain has ended',
  isTimed: true,
  violations: (facts) =>
    facts.providers
      // Who leaves before it is published takes back what is under way, and has nobody to drain.
      .filter(
        ({ drainedAt, toldAt, states }) => drainedAt < facts.overAt && states.some(({ t }) => t < toldAt),
      )
      .flatMap((provider) =>
        facts.consumers.flatMap(({ who, calls }) =>
          calls
            .flatMap(({ call, attempts }) => attempts.map((attempt) => ({ call, ...attempt })))
            .filter(({ t, port }) => port === provider.port && t > provider.drainedAt && t < facts.overAt)
            .filter(({ t }) => couldKnow(facts, provider, who, t))
            .map(({ t, call }) => ({ t, who, text: `call ${call} was sent to ${provider.who}` })),
        ),
      ),
};

/** Whoever was out of touch with the store meanwhile was not told; and a port may have a new owner. */
function couldKnow(facts: Facts, provider: Provider, consumer: string, t: number): boolean {
  const span = { from: provider.toldAt - bounds.backMs - bounds.doubtMs, to: t };
  return (
    followedAt(facts, provider) > t &&
    !troublesOf(facts, consumer, provider.who).some((trouble) => overlaps(trouble, span))
  );
}

/** A run in which hardly anybody called has shown nothing. */
export const loadIsReal: Invariant = {
  name: 'consumers call at their rate, and are answered',
  isTimed: true,
  violations: (facts) =>
    facts.consumers.flatMap(({ who, calls, exit, frozen }) => {
      if (exit?.killed === true) return []; // it may have lived for a moment only
      const since = calls[0]?.from ?? facts.begunAt;
      const span = { from: since, to: facts.overAt };
      const due = (span.to - span.from - frozenMs(frozen, span)) / pace.callEveryMs;
      const answered = calls.filter(({ to, failure }) => to < Infinity && failure === undefined).length;
      if (calls.length >= leastShare * due && answered > 0) return [];
      const text = `${calls.length} of ${due.toFixed(0)} due calls were made, ${answered} answered`;
      return [{ t: facts.overAt, who, text }];
    }),
};

const leastShare = 0.6;

/** A black hole that answers come out of has shown nothing, either. */
export const cutsAreReal: Invariant = {
  name: 'nobody is answered by a provider that it is cut off from',
  isTimed: true,
  violations: ({ consumers, providers }) =>
    consumers.flatMap(({ who, calls, cuts }) =>
      cuts.flatMap(({ from, to, provider }) => {
        const { port, goneAt = 0 } = providers.find((each) => each.who === provider) ?? {};
        return calls
          .filter(({ answeredBy }) => answeredBy !== undefined && answeredBy === port)
          .filter((call) => call.from > from + busyMs && call.to < Math.min(to, goneAt))
          .map(({ call, to: t }) => ({ t, who, text: `call ${call} was answered by ${provider}` }));
      }),
    ),
};
