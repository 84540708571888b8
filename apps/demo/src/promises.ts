import { goneAfterMs, isGoneWithin, sawTrouble, type Departure } from './departure.ts';
import type { Facts } from './facts.ts';
import { count, seconds } from './figures.ts';

export interface Judgement {
  readonly kept: boolean;
  /** The promise. */
  readonly promise: string;
  /** What it was judged by. */
  readonly evidence: string;
}

/** What the demo promises, and whether it held. */
export function judge(facts: Facts): readonly Judgement[] {
  return [
    noCallFailed(facts),
    loadWasDriven(facts),
    paidOnce(facts),
    theDeadVanish(facts),
    drainsLoseNothing(facts),
    newVersionOnly(facts),
    allServed(facts),
  ];
}

function noCallFailed({ failedCalls, soldOrders }: Facts): Judgement {
  return {
    kept: failedCalls === 0,
    promise: 'no call fails',
    evidence: `${failedCalls} of ${count(failedCalls + soldOrders.length)} failed`,
  };
}

function loadWasDriven({ load }: Facts): Judgement {
  const kept = load.planned > 0 && load.made >= 0.9 * load.planned;
  const advice = kept ? '' : ': lower the --rate'; // this machine cannot bear it
  return {
    kept,
    promise: 'the load is real',
    evidence: `${count(load.made)} of ${count(load.planned)} due calls made${advice}`,
  };
}

function paidOnce({ soldOrders, bookedOrders }: Facts): Judgement {
  const bookings = new Map<string, number>();
  for (const order of bookedOrders) bookings.set(order, (bookings.get(order) ?? 0) + 1);
  const unpaid = soldOrders.filter((order) => !bookings.has(order)).length;
  const twice = [...bookings.values()].filter((times) => times > 1).length;
  return {
    kept: unpaid === 0 && twice === 0,
    promise: 'each order is paid once',
    evidence: `${count(soldOrders.length)} sold, ${unpaid} unpaid, ${twice} paid twice`,
  };
}

function theDeadVanish({ departures }: Facts): Judgement {
  const promise = 'the dead vanish';
  const dead = departures.filter(({ how }) => how === 'killed');
  return {
    kept: dead.length > 0 && dead.every((death) => isGoneWithin(death.ttlMs + noiseMs, death)),
    promise,
    evidence: dead.map(describeDeath).join(', ') || 'nobody was killed',
  };
}

function describeDeath(death: Departure): string {
  const afterMs = goneAfterMs(death);
  if (afterMs === undefined) return `${death.id} is still in a view`;
  const trouble = sawTrouble(death) ? ' and a lost store' : '';
  return `${death.id} after ${seconds(afterMs)}, with a lease of ${seconds(death.ttlMs)}${trouble}`;
}

function drainsLoseNothing({ departures, instances }: Facts): Judgement {
  const drains = departures.filter(({ how }) => how === 'drained');
  const drained = instances.filter(({ id }) => drains.some((departure) => departure.id === id));
  const cutOff = sum(drained.map((instance) => instance.cutOff));
  // Whose callers could not be told is called until it is closed. That costs nothing while it answers.
  const untold = drains.filter(sawTrouble).map(({ id }) => id);
  const late = sum(drained.filter(({ id }) => !untold.includes(id)).map((instance) => instance.late));
  // A lease that was left to run out takes longer than half of it.
  const lingering = drains.filter((departure) => !isGoneWithin(departure.ttlMs / 2, departure)).length;
  return {
    kept: drains.length > 0 && cutOff + late + lingering === 0,
    promise: 'drains lose nothing',
    evidence: `${drains.length} left: ${cutOff} calls cut off, ${late} late, ${lingering} lingered`,
  };
}

function newVersionOnly({ rollout, versionsInViews, versionsAnswering }: Facts): Judgement {
  const promise = 'the new version serves';
  if (rollout === undefined) return { kept: false, promise, evidence: 'the roll-out was not finished' };
  const seen = list(versionsInViews);
  const answering = list(versionsAnswering);
  return {
    kept: seen === rollout.version && answering === rollout.version,
    promise,
    evidence: `views show ${seen}, answers come from ${answering}`,
  };
}

function allServed({ rate, instances }: Facts): Judgement {
  const due = instances.filter(({ availableMs }) => (availableMs * rate) / 1_000 >= fairChance);
  const idle = due.filter(({ requests }) => requests === 0).map(({ id }) => id);
  return {
    kept: idle.length === 0,
    promise: 'everybody serves',
    evidence:
      idle.length === 0
        ? `${due.length} of ${instances.length} instances had to, and did`
        : `${idle.join(', ')} did not`,
  };
}

/** What a busy machine may add to an expiry. */
const noiseMs = 1_000;

/** Whoever was there for that many calls, among at most eight, and got none, was left out: one in a thousand by chance. */
const fairChance = 60;

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const list = (versions: readonly string[]): string => [...new Set(versions)].sort().join(', ') || 'nothing';
