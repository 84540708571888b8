import { abortable } from '@sd/core';
import { setTimeout as wait } from 'node:timers/promises';
import { goneAfterMs, type Departure } from './departure.ts';
import { seconds } from './figures.ts';
import type { Fleet } from './fleet.ts';
import type { Instance } from './instance.ts';
import type { Ledger } from './ledger.ts';
import type { Pace } from './pace.ts';

/** How many instances it needs: eight that are there at first, two more, and four in the roll-out. */
export const castSize = 14;

export interface ScriptContext {
  readonly fleet: Fleet;
  readonly ledger: Ledger;
  readonly pace: Pace;
  readonly signal: AbortSignal;
  /** Since the load began. */
  readonly elapsedMs: () => number;
  readonly tell: (text: string) => void;
}

/** What came of it. */
export interface ScriptReport {
  readonly departures: Departure[];
  rollout: Rollout | undefined;
}

export interface Rollout {
  readonly version: string;
  /** Since the load began. */
  readonly doneAtMs: number;
}

/**
 * What happens to the shop while its customers buy.
 * @throws as soon as the signal aborts
 */
export async function runScript(context: ScriptContext, report: ScriptReport): Promise<void> {
  const { pace, elapsedMs, signal } = context;
  const at = async (share: number): Promise<void> => {
    await wait(Math.max(0, share * pace.durationMs - elapsedMs()), undefined, { signal });
  };
  await at(0.08);
  await scaleUp(context);
  await at(0.16);
  const slowed = await slowDown(context);
  await at(0.3);
  const [death] = await Promise.all([kill(context), at(0.42).then(() => recover(context, slowed))]);
  report.departures.push(death);
  await at(0.54);
  report.departures.push(await drain(context));
  await at(0.64);
  await rollOut(context, report);
}

async function scaleUp({ fleet, signal, tell }: ScriptContext): Promise<void> {
  await Promise.all([
    fleet.start('checkout', '1.0.0', 1, { signal }),
    fleet.start('orders', '1.0.0', 1, { signal }),
  ]);
  tell('scale up: checkout-3 and orders-4 have started');
}

async function slowDown({ fleet, tell }: ScriptContext): Promise<Instance> {
  const instance = fleet.oldest('orders');
  await instance.slowDown(250);
  tell(`${instance.id} answers 250 ms slower from now on`);
  return instance;
}

async function recover({ tell }: ScriptContext, instance: Instance): Promise<void> {
  await instance.slowDown(0);
  tell(`${instance.id} is as fast as before`);
}

async function kill({ fleet, ledger, pace, signal, tell }: ScriptContext): Promise<Departure> {
  const { ttlMs } = pace;
  const victim = fleet.oldest('payments');
  await untilItBooks(victim, ledger, signal); // the worst moment: it has booked a payment, and has not said so yet
  await victim.kill();
  tell(`${victim.id} is killed: no goodbye, its lease runs out within ${seconds(ttlMs)}`);
  const views = await fleet.disappearance(victim, {
    withinMs: ttlMs + 2_000,
    troubleSince: Date.now(),
    signal,
  });
  const death: Departure = { id: victim.id, how: 'killed', views, ttlMs };
  const afterMs = goneAfterMs(death);
  tell(
    afterMs === undefined
      ? `${victim.id} is still in a view`
      : `${victim.id} has left all views, ${seconds(afterMs)} after it died`,
  );
  return death;
}

async function drain(context: ScriptContext): Promise<Departure> {
  const instance = context.fleet.oldest('checkout');
  context.tell(`${instance.id} drains: takes nothing new, finishes what it has, leaves`);
  return drainOne(instance, context);
}

async function rollOut(context: ScriptContext, report: ScriptReport): Promise<void> {
  const { fleet, pace, elapsedMs, signal, tell } = context;
  const version = '2.0.0';
  const old = fleet.serving('orders');
  await fleet.start('orders', version, old.length, { signal });
  tell(`roll-out: ${old.length} orders ${version} have started, the old leave one by one`);
  for (const instance of old) {
    if (instance.died.aborted) continue; // by the hand of a stranger
    await wait(pace.propagationMs, undefined, { signal });
    report.departures.push(await drainOne(instance, context));
  }
  report.rollout = { version, doneAtMs: elapsedMs() };
}

async function drainOne(
  instance: Instance,
  { fleet, pace, signal, tell }: ScriptContext,
): Promise<Departure> {
  const { id, version } = instance;
  const { ttlMs } = pace;
  await abortable(instance.busy(), signal); // so that there is something to finish
  const startedAt = Date.now();
  await abortable(instance.drain(), signal);
  const views = await fleet.disappearance(instance, { withinMs: ttlMs, troubleSince: startedAt, signal });
  tell(`${id} (${version}) has drained and left, ${seconds(Date.now() - startedAt)} later`);
  return { id, how: 'drained', views, ttlMs };
}

/** Waits for half a second at most. */
async function untilItBooks({ id }: Instance, ledger: Ledger, signal: AbortSignal): Promise<void> {
  const before = ledger.bookings.length;
  const justBooked = (): boolean =>
    ledger.bookings.length > before && ledger.bookings.at(-1)?.bookedBy === id;
  for (let tries = 0; tries < 500 && !justBooked(); tries += 1) await wait(1, undefined, { signal });
}
