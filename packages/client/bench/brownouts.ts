import type { Bar } from './bars.ts';
import type { ContestantName } from './contestants.ts';
import type { FaultName } from './faults.ts';
import { instanceCount, roundsOf, Stage, type Run } from './stage.ts';
import { between, median, shareOf } from '../../../tools/bench/statistics.ts';
import { figure, printTable } from '../../../tools/bench/table.ts';
import { inTurn, medians } from '../../../tools/bench/turns.ts';
import { percent, tally } from './figures.ts';

export const brownoutFaults = ['503', 'eight times slower'] as const satisfies readonly FaultName[];

export interface BrownoutResult {
  readonly name: ContestantName;
  readonly fault: FaultName;
  readonly successBefore: number;
  readonly successDuring: number;
  readonly attemptsPerCall: number;
  /** Seconds from the end of the fault until calls succeed again, all of them. */
  readonly succeedsAfter: number;
  /** … until they also take no longer than twice what they did before. */
  readonly recoversAfter: number;
  /** As many as asked for, unless this machine was too busy with other things. */
  readonly callsPerSecond: number;
  readonly errors: string;
  readonly clientCpu: number;
}

/** 62.5 requests a second each. When it is full, the last has to wait for 0.2 s, and for 1.5 s when all is 8 times slower. */
const ability = { workMs: [24, 40], slots: 2, queue: 12 } as const;
const capacityPerSecond = (instanceCount * ability.slots * 1_000) / 32;
const load = { perSecond: 0.8 * capacityPerSecond };
/** Shorter than the wait in a full queue, so that clients give up on requests that the servers go on working on. */
const attemptTimeoutMs = 1_000;
const slotMs = 250;
const plan = { warmUpMs: 2_000, healthyMs: 3_000, faultMs: 5_000, afterMs: 10_000 };

/** All instances go bad for 5 s, at a load of 80 % of what they can bear: a storm of retries would keep them down. */
export async function measureBrownout(
  fault: (typeof brownoutFaults)[number],
  names: readonly ContestantName[],
  quick: boolean,
): Promise<readonly BrownoutResult[]> {
  const places = Array.from({ length: instanceCount }, (_, place) => place);
  const rounds = roundsOf(quick);
  const runs = await inTurn(names, { rounds }, async (name) => {
    await using stage = await Stage.build(ability); // with empty queues
    return await stage.run({ name, fault, places, load, attemptTimeoutMs, plan });
  });
  const results = Array.from(runs, ([name, list]): BrownoutResult => ({ name, fault, ...summary(list) }));
  print(fault, rounds, results);
  return results;
}

const succeeded = ({ error }: { readonly error: string | undefined }): boolean => error === undefined;

const beforeFault = ({ calls, warmAt, faultAt }: Run): Run['calls'] => between(calls, warmAt, faultAt);
const duringFault = ({ calls, faultAt, faultEndsAt }: Run): Run['calls'] =>
  between(calls, faultAt, faultEndsAt);

/** The median of each figure; calls that fail count wherever they do. */
function summary(runs: readonly Run[]): Omit<BrownoutResult, 'name' | 'fault'> {
  const sinceFault = runs.flatMap(({ calls, faultAt }) => between(calls, faultAt, Infinity));
  return {
    ...medians(runs.map(evaluate)),
    successBefore: shareOf(runs.flatMap(beforeFault), succeeded),
    successDuring: shareOf(runs.flatMap(duringFault), succeeded),
    errors: tally(sinceFault.flatMap(({ error }) => error ?? [])),
  };
}

function evaluate(run: Run) {
  const { calls, requests, faultAt, faultEndsAt, endsAt } = run;
  const during = duringFault(run);
  const usualMs = medianMs(beforeFault(run));
  /** Until the first two seconds that are as they should be, in steps of a quarter of a second. */
  const after = (isWell: (slot: Run['calls']) => boolean): number => {
    let wellFrom = faultEndsAt;
    for (let from = faultEndsAt; from + slotMs <= endsAt; from += slotMs) {
      if (!isWell(between(calls, from, from + slotMs))) wellFrom = from + slotMs;
      else if (from + slotMs - wellFrom >= 2_000) return (wellFrom - faultEndsAt) / 1_000;
    }
    return Infinity;
  };
  return {
    attemptsPerCall: between(requests, faultAt, faultEndsAt).length / during.length,
    succeedsAfter: after((slot) => slot.every(succeeded)),
    recoversAfter: after((slot) => slot.every(succeeded) && medianMs(slot) <= 2 * usualMs),
    callsPerSecond: during.length / ((faultEndsAt - faultAt) / 1_000),
    clientCpu: run.clientCpu,
  };
}

const medianMs = (calls: Run['calls']): number => median(calls.map(({ tookMs }) => tookMs));

function print(
  fault: (typeof brownoutFaults)[number],
  rounds: number,
  results: readonly BrownoutResult[],
): void {
  const how = fault === '503' ? 'answer 503' : 'are eight times slower';
  printTable(
    `Brownout: all three ${how} for 5 s, at ${load.perSecond} calls/s of the ${figure(capacityPerSecond)} they can bear (medians of ${rounds} rounds)`,
    [
      '',
      'success before',
      'during',
      'attempts/call',
      'succeeds again, s',
      'as before, s',
      'calls/s',
      'client CPU',
      'errors',
    ],
    results.map((result) => [
      result.name,
      percent(result.successBefore),
      percent(result.successDuring),
      result.attemptsPerCall.toFixed(3),
      seconds(result.succeedsAfter),
      seconds(result.recoversAfter),
      figure(result.callsPerSecond),
      percent(result.clientCpu, 0),
      result.errors,
    ]),
  );
}

const seconds = (value: number): string =>
  value === Infinity ? `> ${plan.afterMs / 1_000}` : value.toFixed(2);

export function brownoutBars({ fault, attemptsPerCall, recoversAfter }: BrownoutResult): readonly Bar[] {
  const what = `brownout: ${fault}`;
  return [
    { what, is: `attempts ${attemptsPerCall.toFixed(3)}`, bar: '<= 1.2', ok: attemptsPerCall <= 1.2 },
    { what, is: `recovery ${seconds(recoversAfter)} s`, bar: '<= 2 s', ok: recoversAfter <= 2 },
  ];
}
