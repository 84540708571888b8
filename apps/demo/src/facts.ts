import type { Calls } from './calls.ts';
import type { Departure } from './departure.ts';
import type { Fleet } from './fleet.ts';
import type { Ledger } from './ledger.ts';
import type { DrivenLoad } from './load.ts';
import type { Rollout, ScriptReport } from './script.ts';

/** What was seen: all that the promises are judged by. */
export interface Facts {
  /** Calls per second. */
  readonly rate: number;
  readonly load: DrivenLoad;
  readonly failedCalls: number;
  /** The orders of the calls that succeeded. */
  readonly soldOrders: readonly string[];
  /** The order of each booking. */
  readonly bookedOrders: readonly string[];
  readonly departures: readonly Departure[];
  readonly rollout: Rollout | undefined;
  /** Versions of orders in the views of those who call it, at the end. */
  readonly versionsInViews: readonly string[];
  /** Versions of orders that answered calls made after the roll-out. */
  readonly versionsAnswering: readonly string[];
  readonly instances: readonly InstanceFacts[];
}

export interface InstanceFacts {
  readonly id: string;
  readonly requests: number;
  /** How long it was there to be called, in milliseconds. */
  readonly availableMs: number;
  /** Requests whose answer did not get out. */
  readonly cutOff: number;
  /** Requests that came after it had stopped accepting. */
  readonly late: number;
}

export interface FactSources {
  readonly rate: number;
  readonly load: DrivenLoad;
  readonly calls: Calls;
  readonly fleet: Fleet;
  readonly ledger: Ledger;
  readonly report: ScriptReport;
}

/** To be called while the shop is still open. */
export async function gatherFacts(sources: FactSources): Promise<Facts> {
  const { rate, load, calls, fleet, ledger, report } = sources;
  const { departures, rollout } = report;
  const callers = fleet.serving('checkout');
  const seen = await Promise.all(callers.map((caller) => caller.versionsOf('orders')));
  const afterRollout = calls.answered.filter(({ madeAtMs }) => madeAtMs > (rollout?.doneAtMs ?? 0));
  return {
    rate,
    load,
    failedCalls: calls.failed.length,
    soldOrders: calls.answered.map(({ order }) => order),
    bookedOrders: ledger.bookings.map(({ order }) => order),
    departures,
    rollout,
    versionsInViews: seen.flat(),
    versionsAnswering: afterRollout.map(({ version }) => version),
    instances: fleet.instances.map(({ id, traffic, startedAt, leftAt }) => ({
      id,
      requests: traffic.requests,
      availableMs: (leftAt ?? performance.now()) - startedAt,
      cutOff: traffic.cutOff,
      late: traffic.late,
    })),
  };
}
