import { bounds } from './bounds.ts';
import { frozenMs, isGoodFor } from './calls.ts';
import type { Invariant } from './violation.ts';

/** While there is one that it has not asked, which a consumer cannot know of those that were dead or frozen of late. */
export const retriesGoElsewhere: Invariant = {
  name: 'a retry or hedge goes to another instance while there is one',
  isTimed: true,
  violations: (facts) =>
    facts.consumers.flatMap((consumer) =>
      consumer.calls.flatMap((call) =>
        call.attempts.flatMap(({ t, port }, index) => {
          const asked = call.attempts.slice(0, index).map((attempt) => attempt.port);
          if (!asked.includes(port)) return [];
          const others = facts.providers.filter(
            (provider) =>
              !asked.includes(provider.port) &&
              isGoodFor({ from: call.from, to: t }, provider, consumer, facts),
          );
          if (others.length === 0) return [];
          const names = others.map(({ who }) => who).join(', ');
          const text = `call ${call.call} was sent to port ${port} again though there was ${names}`;
          return [{ t, who: consumer.who, text }];
        }),
      ),
    ),
};

export const postsAreDoneOnce: Invariant = {
  name: 'what is not idempotent is done once at most',
  isTimed: false,
  violations: ({ done }) => {
    const first = new Map<string, string>();
    return done.flatMap(({ t, who, order }) => {
      const before = first.get(order);
      first.set(order, before ?? who);
      return before === undefined ? [] : [{ t, who, text: `${order} had been done by ${before}` }];
    });
  },
};

export const cancelledCallsEnd: Invariant = {
  name: 'a call that is cancelled ends at once, and begins nothing more',
  isTimed: true,
  violations: ({ consumers, overAt }) =>
    consumers.flatMap(({ who, calls, exit, frozen }) =>
      calls.flatMap(({ call, cancelledAt, to, attempts }) => {
        if (cancelledAt === Infinity) return [];
        const later = attempts.find(({ t }) => t > cancelledAt);
        if (later !== undefined)
          return [{ t: later.t, who, text: `call ${call} was sent after it was cancelled` }];
        const end = Math.min(to, exit?.t ?? overAt);
        const tookMs = end - cancelledAt - frozenMs(frozen, { from: cancelledAt, to: end });
        if (tookMs <= bounds.deadlineSlackMs) return [];
        const text = `call ${call} went on for ${tookMs.toFixed(0)} ms after it was cancelled`;
        return [{ t: cancelledAt, who, text }];
      }),
    ),
};

/** The budget's window is 2 s, in steps of a tenth: what is counted here lies within it, and what pays for it may lie before. */
export const retriesArePaid: Invariant = {
  name: 'retries and hedges stay within their budget',
  isTimed: false,
  violations: ({ consumers }) =>
    consumers.flatMap(({ who, calls }) => {
      const begun = calls.map(({ from }) => from);
      const extra = calls
        .flatMap(({ attempts }) => attempts.slice(1).map(({ t }) => t))
        .sort((a, b) => a - b);
      return extra.flatMap((t) => {
        const spent = extra.filter((at) => at > t - windowMs + stepMs && at <= t).length;
        const earned = begun.filter((at) => at > t - windowMs - stepMs && at <= t).length;
        if (spent <= reserve + ratio * earned) return [];
        return [{ t, who, text: `${spent} more attempts within two seconds, for ${earned} calls` }];
      });
    }),
};

/** As a `DiscoveryClient` has them by default. */
const windowMs = 2_000;
const stepMs = windowMs / 10;
const reserve = 20;
const ratio = 0.2;
