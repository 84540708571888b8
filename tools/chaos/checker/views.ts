import { pace } from '../pace.ts';
import { goneFor, followedAt, living, troublesOf } from './affairs.ts';
import { bounds } from './bounds.ts';
import {
  overlaps,
  type Consumer,
  type Facts,
  type Interval,
  type Provider,
  type Trouble,
  type View,
} from './facts.ts';
import type { Invariant } from './violation.ts';

export const viewsComeBack: Invariant = {
  name: 'after the last fault every view is live and has everybody who lives',
  isTimed: false,
  violations: (facts) => {
    const lives = living(facts);
    return facts.consumers.flatMap(({ who, views, exit }) => {
      if (exit?.killed === true) return [];
      const due = Math.min(facts.calmAt + bounds.backMs, facts.overAt);
      const late = views.filter(({ from, to }) => from < facts.overAt && to > due);
      if (views.length === 0) return [{ t: due, who, text: 'it never had a view' }];
      return late.flatMap(({ from, state, serving }) => {
        const t = Math.max(from, due);
        const missing = lives.filter(({ port }) => !serving.includes(port)).map((each) => each.who);
        if (state !== 'live') return [{ t, who, text: `its view is ${state}` }];
        return missing.length === 0 ? [] : [{ t, who, text: `its view lacks ${missing.join(', ')}` }];
      });
    });
  },
};

export const nobodyIsDoubled: Invariant = {
  name: 'nobody is in a view twice',
  isTimed: false,
  violations: ({ consumers }) =>
    consumers.flatMap(({ who, views }) =>
      views
        .filter(({ ports }) => new Set(ports).size < ports.length)
        .map(({ from, ports }) => ({ t: from, who, text: `its view has the ports ${ports.join(', ')}` })),
    ),
};

export const theGoneVanish: Invariant = {
  name: 'whoever died or left is gone from all views within its ttl',
  isTimed: true,
  violations: (facts) =>
    facts.providers
      .filter(({ goneAt, listeningAt }) => goneAt < facts.overAt && listeningAt < goneAt)
      .flatMap((gone) =>
        facts.consumers.flatMap((consumer) => {
          const due = goneFor(facts, gone, consumer);
          const until = Math.min(facts.overAt, followedAt(facts, gone));
          const still = consumer.views.find(
            ({ from, to, ports }) => to > due && from < until && due < until && ports.includes(gone.port),
          );
          if (still === undefined) return [];
          const afterMs = (Math.max(still.from, due) - gone.goneAt).toFixed(0);
          return [
            { t: due, who: consumer.who, text: `${afterMs} ms after its end ${gone.who} is in its view` },
          ];
        }),
      ),
};

/** Of those who are there and well, and whom the view had, none may lack more than half, whatever the store forgets. */
export const viewsKeepTheLiving: Invariant = {
  name: 'no view drops more than half of those who live',
  isTimed: true,
  violations: (facts) =>
    facts.consumers.flatMap((consumer) =>
      consumer.views.flatMap((view, index) => {
        if (view.from < facts.begunAt || view.from > facts.overAt) return [];
        const before = consumer.views.slice(0, index);
        const steady = facts.providers.filter((provider) => isSteady(facts, provider, view, before));
        const missing = steady.filter(({ port }) => !view.ports.includes(port));
        const known = Math.max(steady.length, before.at(-1)?.serving.length ?? 0);
        if (steady.length < 2 || missing.length <= known / 2) return [];
        const names = missing.map(({ who }) => who).join(', ');
        return [{ t: view.from, who: consumer.who, text: `it lost ${names} of ${steady.length} who live` }];
      }),
    ),
};

/** Nothing was wrong with it or its way to the store by which it can have lost its registration. */
export function isSteady(facts: Facts, provider: Provider, { from }: View, before: readonly View[]): boolean {
  const { who, port, listeningAt, goneAt, toldAt, frozen } = provider;
  const own = facts.troubles.filter(({ of }) => of === who);
  return (
    listeningAt < from &&
    goneAt > from &&
    toldAt > from &&
    ![...frozen, ...own].some((trouble) => hasAftermath(trouble, from)) &&
    before.some((view) => view.serving.includes(port) && view.from > listeningAt)
  );
}

/** What is shorter than a lease by two renewals cannot end it; of what is longer it takes a while to come back. */
function hasAftermath({ from, to }: Interval, t: number): boolean {
  const isShort = to - from < pace.ttlMs / 3;
  return overlaps(
    { from, to: to + (isShort ? bounds.goneMs : bounds.goneMs + bounds.backMs) },
    { from: t, to: t },
  );
}

export const viewsSayStale: Invariant = {
  name: 'views say that they are stale while the store is away, and only then',
  isTimed: true,
  violations: (facts, { saysStale }) =>
    facts.consumers.flatMap((consumer) => {
      const troubles = troublesOf(facts, consumer.who);
      const noticed = troubles.filter(({ of }) => saysStale || of !== 'store');
      const silent = noticed.flatMap((trouble) => unnoticed(facts, consumer, trouble));
      const groundless = consumer.views
        .filter(({ from, state }) => state === 'stale' && from > facts.begunAt && from < facts.overAt)
        .filter(
          ({ from }) =>
            !troubles.some((trouble) => overlaps(trouble, { from: from - bounds.backMs, to: from })),
        )
        .map(({ from }) => ({
          t: from,
          who: consumer.who,
          text: 'its view became stale without any trouble',
        }));
      return [...silent, ...groundless];
    }),
};

function unnoticed({ overAt, begunAt }: Facts, { who, views, frozen }: Consumer, trouble: Trouble) {
  const { from, to, fault, isAway } = trouble;
  const isSilent = fault === 'freeze-store' || fault === 'cut-off';
  const t = Math.max(from, begunAt) + (isSilent ? bounds.noticeSilentMs : bounds.noticeDownMs);
  if (!isAway || t >= Math.min(to, overAt)) return [];
  if (frozen.some((interval) => overlaps(interval, { from, to: t }))) return [];
  // Who has noticed may be in sync again before the harness knows that the store is back.
  const seen = views.filter((view) => overlaps(view, { from, to: t }));
  if (seen.length === 0 || seen.some(({ state }) => state !== 'live')) return [];
  return [{ t, who, text: `its view is still live ${(t - from).toFixed(0)} ms after ${fault} began` }];
}
