import { HttpStatusError } from '@sd/client';
import type { Calls, FailedCall } from './calls.ts';
import { goneAfterMs, type Departure } from './departure.ts';
import type { Facts } from './facts.ts';
import { count, milliseconds, seconds } from './figures.ts';
import type { Outages } from './outages.ts';
import type { Judgement } from './promises.ts';
import type { Line } from './text.ts';

export interface SummaryInput {
  readonly facts: Facts;
  readonly calls: Calls;
  /** Payments that came again and were booked once. */
  readonly repeatedPayments: number;
  readonly outages: Outages;
}

/** What was measured, as a block of lines. */
export function renderSummary({ facts, calls, repeatedPayments, outages }: SummaryInput): readonly Line[] {
  const { load, departures, bookedOrders } = facts;
  const { made, failed, allRetries } = calls;
  const { checkout, orders, payments } = calls.retries;
  const rows: readonly (readonly [string, string])[] = [
    ['calls', `${count(made)} in ${seconds(load.tookMs)}, ${failed.length} failed`],
    [
      'latency',
      `p50 ${latency(calls.latency(0.5))}, p99 ${latency(calls.latency(0.99))}, longest ${latency(calls.latency(1))}`,
    ],
    ['retries', `${allRetries}: ${checkout} of checkout, ${orders} of orders, ${payments} of payments`],
    ['payments', `${count(bookedOrders.length)} booked, ${repeatedPayments} sent again and recognised`],
    ...departureRows(departures),
    ...(outages.count === 0 ? [] : [['store', describe(outages)] as const]),
  ];
  return [
    [{ text: 'Summary', style: 'bold' }],
    ...rows.map(([name, text]): Line => [{ text: `  ${name.padEnd(10)}` }, { text }]),
    ...failed.slice(0, 3).map(failureLine),
  ];
}

/** Each promise with its verdict. */
export function renderJudgements(judgements: readonly Judgement[]): readonly Line[] {
  return [
    [{ text: 'Promises', style: 'bold' }],
    ...judgements.map(({ kept, promise, evidence }): Line => [
      kept ? { text: '  ok      ', style: 'green' } : { text: '  BROKEN  ', style: 'red' },
      { text: promise.padEnd(25) },
      { text: evidence, style: 'dim' },
    ]),
  ];
}

function departureRows(departures: readonly Departure[]): readonly (readonly [string, string])[] {
  return (['killed', 'drained'] as const).flatMap((how) => {
    const those = departures.filter((departure) => departure.how === how);
    const [first] = those;
    if (first === undefined) return [];
    const who = those.length === 1 ? first.id : `${those.length} instances`;
    const slowestMs = Math.max(...those.map((departure) => goneAfterMs(departure) ?? Infinity));
    const when = slowestMs === Infinity ? 'still in a view' : `out of all views within ${latency(slowestMs)}`;
    return [[how, `${who}, ${when}`] as const];
  });
}

function describe({ count: times, totalMs }: Outages): string {
  return `lost ${times === 1 ? 'once' : `${times} times`}, for ${seconds(totalMs)} in all`;
}

function failureLine({ atMs, error }: FailedCall): Line {
  return [{ text: `  failed    at ${seconds(atMs)}: ${reasonOf(error)}`, style: 'red' }];
}

function reasonOf(error: unknown): string {
  // A service that failed because of another one says so in its answer.
  return error instanceof HttpStatusError ? `${error.message}: ${error.response.text()}` : String(error);
}

const latency = (ms: number | undefined): string => `${milliseconds(ms)} ms`;
