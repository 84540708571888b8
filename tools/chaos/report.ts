import { factsOf } from './checker/facts.ts';
import type { Violation } from './checker/violation.ts';
import type { HistoryEvent } from './history.ts';
import type { RunResult } from './run.ts';

/** One line for a run. */
export function summary({ store, seed, history, violations, doubtful, tookMs }: RunResult): string {
  const { faults, calls, failed } = countsOf(history);
  const fine = doubtful.length === 0 ? 'ok' : 'busy';
  const verdict = violations.length === 0 ? fine : `${violations.length} VIOLATIONS`;
  const cells = [
    store.padEnd(18),
    `seed ${String(seed).padEnd(6)}`,
    `${String(calls).padStart(4)} calls`,
    `${String(failed).padStart(3)} failed`,
    `${(tookMs / 1_000).toFixed(1).padStart(4)} s`,
    verdict.padEnd(4),
    faults.join(', '),
  ];
  return cells.join('  ');
}

export function countsOf(history: readonly HistoryEvent[]) {
  const begun = history.flatMap((event) =>
    event.kind === 'fault' && event.phase === 'begins' ? [event.fault] : [],
  );
  const { consumers, begunAt } = factsOf(history);
  // Before that there is nobody to call.
  const calls = consumers.flatMap((consumer) => consumer.calls).filter(({ from }) => from > begunAt);
  return {
    faults: begun,
    calls: calls.length,
    failed: calls.filter(({ failure }) => failure !== undefined).length,
  };
}

/** Each kind of violation once, with what happened around the first of them. */
export function explain({ store, seed, history, historyFile, violations }: RunResult): string {
  const kinds = groupsOf(violations);
  const lines = kinds.flatMap(([first, ...others]) => [
    `  BROKEN: ${first.invariant}`,
    `    at ${offset(history, first.t)}, ${first.who}: ${first.text}${others.length === 0 ? '' : ` (and ${others.length} more)`}`,
    ...around(history, first).map((line) => `      ${line}`),
  ]);
  return [
    ...lines,
    `  The whole history: ${historyFile}`,
    `  To play it again: npm run chaos -- --store ${store} --seed ${seed}`,
  ].join('\n');
}

/** What is on one's mind when reading: faults, states, views and what went wrong; not each call. */
function around(history: readonly HistoryEvent[], { t, who }: Violation): readonly string[] {
  const always = ['fault', 'state', 'exited', 'closing', 'drained', 'told', 'calm', 'over', 'listed'];
  return history
    .filter((event) => event.t > t - 12_000 && event.t < t + 3_000)
    .filter((event) => {
      if (always.includes(event.kind)) return true;
      if (event.who !== who) return false;
      return event.kind === 'failed'
        ? Math.abs(event.t - t) < 300
        : ['view', 'log', 'malformed'].includes(event.kind);
    })
    .map((event) => `${offset(history, event.t)} ${lineOf(event)}`);
}

function lineOf({ t: _t, who, kind, ...rest }: HistoryEvent): string {
  const details = Object.entries(rest).filter(([, value]) => value !== undefined);
  return `${who} ${kind} ${details.map(([key, value]) => `${key}=${JSON.stringify(value)}`).join(' ')}`;
}

/** Since the schedule began. */
function offset(history: readonly HistoryEvent[], t: number): string {
  const start = history.find(({ kind }) => kind === 'begun')?.t ?? history[0]?.t ?? 0;
  return `${((t - start) / 1_000).toFixed(2).padStart(6)} s`;
}

function groupsOf(violations: readonly Violation[]): readonly (readonly [Violation, ...Violation[]])[] {
  const groups = new Map<string, [Violation, ...Violation[]]>();
  for (const violation of violations) {
    const group = groups.get(violation.invariant);
    if (group === undefined) groups.set(violation.invariant, [violation]);
    else group.push(violation);
  }
  return [...groups.values()];
}
