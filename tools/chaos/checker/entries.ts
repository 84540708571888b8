import { troublesOf } from './affairs.ts';
import { bounds } from './bounds.ts';
import { overlaps, type Consumer, type Facts, type Interval } from './facts.ts';
import { isSteady } from './views.ts';
import type { Invariant } from './violation.ts';

/** While it comes and goes, all who are well keep their place in every view, as if nobody had written it. */
export const badEntriesCostThemselves: Invariant = {
  name: 'a bad entry costs nobody else its place in a view',
  isTimed: true,
  violations: (facts) =>
    facts.consumers.flatMap((consumer) =>
      consumer.views.flatMap((view, index) => {
        const { from: t, ports } = view;
        const isNear = facts.badEntries.some(({ from, to }) => from <= t && t <= to + bounds.withdrawnMs);
        const inTrouble = isTroubled(facts, consumer, { from: t - bounds.goneMs - bounds.backMs, to: t });
        if (!isNear || inTrouble || t < facts.begunAt || t > facts.overAt) return [];
        const before = consumer.views.slice(0, index);
        const lost = facts.providers.filter(
          (provider) =>
            before.at(-1)?.ports.includes(provider.port) === true &&
            !ports.includes(provider.port) &&
            isSteady(facts, provider, view, before),
        );
        if (lost.length === 0) return [];
        const names = lost.map(({ who }) => who).join(', ');
        return [{ t, who: consumer.who, text: `its view lost ${names} over a bad entry` }];
      }),
    ),
};

/** Of several, one is enough: an entry in the place of another is the same, and in some stores the place is a number. */
export const badEntriesAreReported: Invariant = {
  name: 'a bad entry is reported by whoever reads it',
  isTimed: true,
  violations: (facts) =>
    facts.consumers.flatMap((consumer) =>
      facts.badEntries.flatMap(({ from, to }) => {
        const { who, views, exit, malformedAt } = consumer;
        const due = from + bounds.withdrawnMs;
        const wasThere = (views[0]?.from ?? Infinity) < from && (exit?.t ?? Infinity) > due;
        if (!wasThere || due > Math.min(to, facts.overAt) || malformedAt <= due) return [];
        if (isTroubled(facts, consumer, { from: from - bounds.backMs, to: due })) return [];
        return [{ t: due, who, text: 'it has reported no bad entry though there was one' }];
      }),
    ),
};

export const nothingElseIsBad: Invariant = {
  name: 'nothing is reported as a bad entry that is none',
  isTimed: false,
  violations: ({ consumers, badEntries }) => {
    const first = Math.min(Infinity, ...badEntries.map(({ from }) => from));
    return consumers
      .filter(({ malformedAt }) => malformedAt < first)
      .map(({ who, malformedAt: t }) => ({ t, who, text: 'it reported a bad entry before there was one' }));
  },
};

export const nobodyIsMadeUp: Invariant = {
  name: 'nobody is in a view who is no provider',
  isTimed: false,
  violations: ({ consumers, providers }) => {
    const listening = providers.filter(({ listeningAt }) => listeningAt < Infinity);
    const known = new Set(listening.map(({ port }) => port));
    return consumers.flatMap(({ who, views }) =>
      views.flatMap(({ from, ports }) => {
        const unknown = ports.filter((port) => !known.has(port));
        return unknown.length === 0
          ? []
          : [{ t: from, who, text: `its view has the ports ${unknown.join(', ')}` }];
      }),
    );
  },
};

/** Whether it may not have heard of the store, or the store have forgotten something. */
const isTroubled = (facts: Facts, { who, frozen }: Consumer, span: Interval): boolean =>
  [...frozen, ...troublesOf(facts, who)].some((trouble) => overlaps(trouble, span));
