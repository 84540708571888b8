import type { HistoryEvent } from '../history.ts';
import { living } from './affairs.ts';
import {
  callsKeepTheirDeadline,
  callsSucceed,
  drainedAreLeftAlone,
  failuresHaveCodes,
  loadIsReal,
} from './calls.ts';
import { factsOf } from './facts.ts';
import { processesLeave, processesLive } from './processes.ts';
import { registrationsComeBack, registrationsStay, storeIsRight } from './registrations.ts';
import { nobodyIsDoubled, theGoneVanish, viewsComeBack, viewsKeepTheLiving, viewsSayStale } from './views.ts';
import type { CheckOptions, Invariant, Violation } from './violation.ts';

export const invariants: readonly Invariant[] = [
  processesLive,
  callsKeepTheirDeadline,
  callsSucceed,
  failuresHaveCodes,
  viewsComeBack,
  nobodyIsDoubled,
  theGoneVanish,
  viewsKeepTheLiving,
  viewsSayStale,
  drainedAreLeftAlone,
  registrationsComeBack,
  registrationsStay,
  storeIsRight,
  processesLeave,
  loadIsReal,
];

/** All that must not be in the history of a run that is over. */
export function check(history: readonly HistoryEvent[], options: CheckOptions): readonly Violation[] {
  const facts = factsOf(history);
  return invariants
    .flatMap(({ name, violations }) =>
      violations(facts, options).map((each) => ({ invariant: name, ...each })),
    )
    .sort((one, other) => one.t - other.t);
}

/** Whether all has come right by now: every view is live, and has exactly those who live. */
export function isSettled(history: readonly HistoryEvent[]): boolean {
  const facts = factsOf(history);
  const lives = living(facts);
  const ports = lives.map(({ port }) => port).sort();
  return (
    ports.length > 0 &&
    lives.every(({ states }) => states.at(-1)?.value === 'published') &&
    facts.consumers.length > 0 &&
    facts.consumers.every(({ views }) => {
      const last = views.at(-1);
      return last?.state === 'live' && last.held === 0 && String([...last.ports].sort()) === String(ports);
    })
  );
}
