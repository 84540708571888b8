import type { Bar } from './bars.ts';
import type { ContestantName } from './contestants.ts';
import type { FaultName } from './faults.ts';
import { roundsOf, Stage, type Run } from './stage.ts';
import { between, quantile, shareOf } from '../../../tools/bench/statistics.ts';
import { figure, printTable } from '../../../tools/bench/table.ts';
import { medians, inTurn } from '../../../tools/bench/turns.ts';
import { percent, tally } from './figures.ts';

export const oneBadFaults = [
  'dead',
  '503',
  'slow',
  'hang',
  'reset',
  'flapping',
] as const satisfies readonly FaultName[];

export interface OneBadResult {
  readonly name: ContestantName;
  readonly fault: FaultName;
  readonly success: number;
  /** Of the requests that were sent 2 s after the fault had begun or later. */
  readonly badShare: number;
  /** Of calls that began then, in milliseconds. */
  readonly p99Ms: number;
  readonly healthyP99Ms: number;
  readonly attemptsPerCall: number;
  readonly callsPerSecond: number;
  readonly errors: string;
  readonly clientCpu: number;
}

/** So long everyone has to notice. */
const noticeMs = 2_000;
const callers = 20;
const attemptTimeoutMs = 5_000;
/** Neither the first nor the last, so that it matters to nobody that it is this one. */
const bad = 1;
/** So long that 20 callers do not take a whole core for the slowest client: a p99 shall tell of the service. */
const ability = { workMs: [30, 50], slots: Infinity, queue: 0 } as const;

/** One of three instances goes bad while 20 callers get on with their calls. */
export async function measureOneBad(
  fault: (typeof oneBadFaults)[number],
  names: readonly ContestantName[],
  quick: boolean,
): Promise<readonly OneBadResult[]> {
  const rounds = roundsOf(quick);
  const plan = { warmUpMs: 2_000, healthyMs: 2_000, faultMs: quick ? 4_000 : 6_000, afterMs: 0 };
  await using stage = await Stage.build(ability);
  const runs = await inTurn(names, { rounds }, (name) =>
    stage.run({ name, fault, places: [bad], load: { callers }, attemptTimeoutMs, plan }),
  );
  const results = Array.from(runs, ([name, list]): OneBadResult => ({ name, fault, ...summary(list) }));
  print(fault, rounds, results);
  return results;
}

const duringFault = ({ calls, faultAt }: Run): Run['calls'] => between(calls, faultAt, Infinity);

/** The median of each figure; calls that fail count wherever they do. */
function summary(runs: readonly Run[]): Omit<OneBadResult, 'name' | 'fault'> {
  const during = runs.flatMap(duringFault);
  return {
    ...medians(runs.map(evaluate)),
    success: shareOf(during, ({ error }) => error === undefined),
    errors: tally(during.flatMap(({ error }) => error ?? [])),
  };
}

function evaluate(run: Run) {
  const healthy = between(run.calls, run.warmAt, run.faultAt);
  const during = duringFault(run);
  const noticedAt = run.faultAt + noticeMs;
  // The second attempts of the 20 calls that were under way when the fault began count too.
  const requests = between(run.requests, run.faultAt, Infinity);
  return {
    badShare: shareOf(between(requests, noticedAt, Infinity), ({ port }) => port === run.ports[bad]),
    p99Ms: p99(between(during, noticedAt, Infinity)),
    healthyP99Ms: p99(healthy),
    attemptsPerCall: requests.length / during.length,
    callsPerSecond: during.length / ((run.endsAt - run.faultAt) / 1_000),
    clientCpu: run.clientCpu,
  };
}

const p99 = (calls: readonly { readonly tookMs: number }[]): number =>
  quantile(
    calls.map(({ tookMs }) => tookMs),
    0.99,
  );

const titles: Readonly<Record<(typeof oneBadFaults)[number], string>> = {
  dead: 'dead: nothing listens there any more',
  '503': 'answering 503, at once',
  slow: '300 ms slower',
  hang: 'hanging: it accepts, and never answers',
  reset: 'resetting: it breaks off in the middle of the body',
  flapping: 'flapping: a second dead, a second well',
};

function print(fault: (typeof oneBadFaults)[number], rounds: number, results: readonly OneBadResult[]): void {
  printTable(
    `One of three ${titles[fault]} (medians of ${rounds} rounds)`,
    [
      '',
      'success',
      'on the bad one after 2 s',
      'p99 ms after 2 s',
      'x healthy',
      'attempts/call',
      'calls/s',
      'client CPU',
      'errors',
    ],
    results.map((result) => [
      result.name,
      percent(result.success),
      percent(result.badShare),
      figure(result.p99Ms),
      figure(result.p99Ms / result.healthyP99Ms),
      result.attemptsPerCall.toFixed(3),
      figure(result.callsPerSecond),
      percent(result.clientCpu, 0),
      result.errors,
    ]),
  );
}

const badShareLimits: Partial<Record<FaultName, number>> = { dead: 0.02, '503': 0.02, hang: 0.02, slow: 0.1 };

export function oneBadBars(result: OneBadResult): readonly Bar[] {
  const { fault, success, badShare, p99Ms, healthyP99Ms, attemptsPerCall } = result;
  const what = `one of three: ${fault}`;
  const limit = badShareLimits[fault];
  return [
    { what, is: `success ${percent(success)}`, bar: '>= 99.99 %', ok: success >= 0.9999 },
    ...(limit === undefined
      ? []
      : [{ what, is: `share ${percent(badShare)}`, bar: `<= ${percent(limit, 0)}`, ok: badShare <= limit }]),
    { what, is: `p99 ${figure(p99Ms / healthyP99Ms)} x`, bar: '<= 1.5 x', ok: p99Ms <= 1.5 * healthyP99Ms },
    { what, is: `attempts ${attemptsPerCall.toFixed(3)}`, bar: '<= 1.2', ok: attemptsPerCall <= 1.2 },
  ];
}
