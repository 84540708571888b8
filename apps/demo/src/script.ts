import { setTimeout as wait } from 'node:timers/promises';
import { seconds } from './figures.ts';
import type { Fleet } from './fleet.ts';
import type { Instance } from './instance.ts';
import { timeUntilGone } from './views.ts';

export interface ScriptContext {
  readonly fleet: Fleet;
  /** How long the whole of it takes, in milliseconds. */
  readonly durationMs: number;
  /** Of all leases. */
  readonly ttlMs: number;
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

/** An instance that left. */
export interface Departure {
  readonly id: string;
  readonly how: 'killed' | 'drained';
  /** From its death or the end of its drain until the last view had lost it; undefined if one did not. */
  readonly goneAfterMs: number | undefined;
  readonly ttlMs: number;
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
  const { durationMs, elapsedMs, signal } = context;
  const at = async (share: number): Promise<void> => {
    await wait(Math.max(0, share * durationMs - elapsedMs()), undefined, { signal });
  };
  await at(0.08);
  await scaleUp(context);
  await at(0.16);
  const slowed = slowDown(context);
  await at(0.3);
  const [death] = await Promise.all([kill(context), at(0.42).then(() => recover(context, slowed))]);
  report.departures.push(death);
  await at(0.54);
  report.departures.push(await drain(context));
  await at(0.64);
  await rollOut(context, report);
}

async function scaleUp({ fleet, tell }: ScriptContext): Promise<void> {
  await Promise.all([fleet.start('checkout', '1.0.0', 1), fleet.start('orders', '1.0.0', 1)]);
  tell('scale up: checkout-3 and orders-4 have started');
}

function slowDown({ fleet, tell }: ScriptContext): Instance {
  const instance = fleet.oldest('orders');
  instance.slowDown(250);
  tell(`${instance.id} answers 250 ms slower from now on`);
  return instance;
}

function recover({ tell }: ScriptContext, instance: Instance): void {
  instance.slowDown(0);
  tell(`${instance.id} is as fast as before`);
}

async function kill({ fleet, ttlMs, signal, tell }: ScriptContext): Promise<Departure> {
  const victim = fleet.oldest('payments');
  // The worst moment: it has booked a payment, and has not said so yet.
  await until(() => isBusy(victim) && fleet.ledger.bookings.at(-1)?.bookedBy === victim.id, signal);
  await victim.kill();
  tell(`${victim.id} is killed: no goodbye, its lease runs out within ${seconds(ttlMs)}`);
  const goneAfterMs = await timeUntilGone(victim, fleet, { withinMs: ttlMs + 2_000, signal });
  tell(
    goneAfterMs === undefined
      ? `${victim.id} is still in a view`
      : `${victim.id} has left all views, ${seconds(goneAfterMs)} after it died`,
  );
  return { id: victim.id, how: 'killed', goneAfterMs, ttlMs };
}

async function drain(context: ScriptContext): Promise<Departure> {
  const instance = context.fleet.oldest('checkout');
  context.tell(`${instance.id} drains: takes nothing new, finishes what it has, leaves`);
  return drainOne(instance, context);
}

async function rollOut(context: ScriptContext, report: ScriptReport): Promise<void> {
  const { fleet, durationMs, elapsedMs, signal, tell } = context;
  const version = '2.0.0';
  const old = fleet.serving('orders');
  await fleet.start('orders', version, old.length);
  tell(`roll-out: ${old.length} orders ${version} have started, the old leave one by one`);
  for (const instance of old) {
    await wait(Math.min(1_000, durationMs * 0.02), undefined, { signal });
    report.departures.push(await drainOne(instance, context));
  }
  report.rollout = { version, doneAtMs: elapsedMs() };
}

async function drainOne(
  instance: Instance,
  { fleet, ttlMs, signal, tell }: ScriptContext,
): Promise<Departure> {
  const { id, version } = instance;
  await until(() => isBusy(instance), signal); // so that there is something to finish
  const startedAt = performance.now();
  await instance.drain();
  const goneAfterMs = await timeUntilGone(instance, fleet, { withinMs: ttlMs, signal });
  tell(`${id} (${version}) has drained and left, ${seconds(performance.now() - startedAt)} later`);
  return { id, how: 'drained', goneAfterMs, ttlMs };
}

const isBusy = ({ traffic }: Instance): boolean => traffic.inFlight > 0;

/** Waits for it for half a second at most. */
async function until(isSo: () => boolean, signal: AbortSignal): Promise<void> {
  for (let tries = 0; tries < 500 && !isSo(); tries += 1) await wait(1, undefined, { signal });
}
