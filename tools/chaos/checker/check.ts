import type { HistoryEvent } from '../history.ts';
import { living } from './affairs.ts';
import { cancelledCallsEnd, postsAreDoneOnce, retriesArePaid, retriesGoElsewhere } from './attempts.ts';
import { busyMs, proxiesBusyMs } from './bounds.ts';
import {
  callsKeepTheirDeadline,
  callsSucceed,
  cutsAreReal,
  drainedAreLeftAlone,
  failuresHaveCodes,
  loadIsReal,
} from './calls.ts';
import {
  badEntriesAreReported,
  badEntriesCostThemselves,
  nobodyIsMadeUp,
  nothingElseIsBad,
} from './entries.ts';
import { factsOf } from './facts.ts';
import { processesEndSoon, processesEndWell, processesLive } from './processes.ts';
import { registrationsComeBack, registrationsStay, storeIsRight } from './registrations.ts';
import { nobodyIsDoubled, theGoneVanish, viewsComeBack, viewsKeepTheLiving, viewsSayStale } from './views.ts';
import type { CheckOptions, Invariant, Violation } from './violation.ts';

export const invariants: readonly Invariant[] = [
  processesLive,
  callsKeepTheirDeadline,
  callsSucceed,
  failuresHaveCodes,
  retriesGoElsewhere,
  retriesArePaid,
  postsAreDoneOnce,
  cancelledCallsEnd,
  viewsComeBack,
  nobodyIsDoubled,
  theGoneVanish,
  viewsKeepTheLiving,
  viewsSayStale,
  drainedAreLeftAlone,
  registrationsComeBack,
  registrationsStay,
  storeIsRight,
  processesEndWell,
  processesEndSoon,
  loadIsReal,
  cutsAreReal,
  badEntriesCostThemselves,
  badEntriesAreReported,
  nothingElseIsBad,
  nobodyIsMadeUp,
];

export interface Verdict {
  readonly violations: readonly Violation[];
  /** Broken limits of time in a run whose processes could not run for longer than the limits allow for. */
  readonly doubtful: readonly Violation[];
}

/** All that must not be in the history of a run that is over. */
export function check(history: readonly HistoryEvent[], options: CheckOptions): Verdict {
  const facts = factsOf(history);
  const isBusy = facts.stalledMs > busyMs || facts.proxiesStalledMs > proxiesBusyMs;
  const find = (among: readonly Invariant[]): readonly Violation[] =>
    among
      .flatMap(({ name, violations }) =>
        violations(facts, options).map((each) => ({ invariant: name, ...each })),
      )
      .sort((one, other) => one.t - other.t);
  return {
    violations: find(invariants.filter(({ isTimed }) => !isTimed || !isBusy)),
    doubtful: find(invariants.filter(({ isTimed }) => isTimed && isBusy)),
  };
}

/** Whether all has come right by now: every view is live, and has exactly those who live. */
export function isSettled(history: readonly HistoryEvent[]): boolean {
  const facts = factsOf(history);
  const lives = living(facts);
  const ports = lives.map(({ port }) => port).sort();
  const consumers = facts.consumers.filter(({ exit }) => exit === undefined);
  return (
    ports.length > 0 &&
    lives.every(({ states }) => states.at(-1)?.value === 'published') &&
    consumers.length > 0 &&
    consumers.every(({ views }) => {
      const last = views.at(-1);
      return last?.state === 'live' && last.held === 0 && String([...last.ports].sort()) === String(ports);
    })
  );
}
