import { sleep, type Clock, type DiscoveryLogger } from '@sd/core';
import * as v from 'valibot';
import {
  closeServer,
  type CloseContext,
  type Connections,
  type ListeningServer,
} from './listening-server.ts';
import { withTimeLimit } from './time-limit.ts';

export interface DrainOptions {
  /**
   * How long consumers have to hear of it before the server stops accepting, in milliseconds; half of `timeoutMs` at
   * most. Default: 2,000.
   */
  readonly propagationMs?: number | undefined;
  /**
   * Finishes work in flight that is not the server's: that is closed at the same time. What others still need, such as
   * a database, is closed after `drain()`. The signal aborts when the time is up.
   */
  readonly finish?: ((options: { readonly signal: AbortSignal }) => Promise<void>) | undefined;
  /** Limit for all of it, in milliseconds; what is in flight then is cut off. Default: 30,000. */
  readonly timeoutMs?: number | undefined;
}

type Finish = NonNullable<DrainOptions['finish']>;
const isFinish = (value: unknown): value is Finish => typeof value === 'function';
const limitText = 'milliseconds from 0 to 86400000';
const limit = v.pipe(v.number(limitText), v.minValue(0, limitText), v.maxValue(86_400_000, limitText));

export const drainSchema = v.strictObject(
  {
    propagationMs: v.optional(limit, 2_000),
    finish: v.optional(v.custom<Finish>(isFinish, 'a function ({ signal }) => Promise<void>')),
    timeoutMs: v.optional(limit, 30_000),
  },
  'an object of drain options',
);

/** What is drained. */
export interface Drainable {
  /** For the log. */
  readonly name: string;
  readonly server: { readonly own: ListeningServer; readonly connections: Connections } | undefined;
  /** Resolves when the store says that it drains; undefined where nobody has to hear of it. */
  readonly announce: (() => Promise<void>) | undefined;
  /** Never throws. */
  deregister(): Promise<void>;
}

export interface DrainContext {
  readonly clock: Clock;
  readonly logger: DiscoveryLogger;
  /** Nothing is waited for once it aborts. */
  readonly signal: AbortSignal;
}

export type DrainPlan = v.InferOutput<typeof drainSchema>;

/**
 * Announces, waits until consumers have heard, finishes what is in flight, deregisters. In this order, because a server
 * that stops accepting first refuses requests that consumers still send. Never throws, and is over after `timeoutMs`.
 */
export async function drain(target: Drainable, plan: DrainPlan, context: DrainContext): Promise<void> {
  const { clock, logger, signal } = context;
  const endsAt = clock.monotonic() + plan.timeoutMs;
  const finishMs = plan.timeoutMs - Math.min(1_000, plan.timeoutMs / 10); // the rest is for the goodbye
  try {
    await withTimeLimit(
      async (inTime) => {
        await announce(target, plan, { ...context, signal: inTime });
        // Sessions that are never idle, as their clients have not heard, need the other half to finish.
        const patienceMs = (endsAt - clock.monotonic()) / 2;
        await finishInFlight(target, plan, { ...context, signal: inTime, patienceMs });
      },
      { clock, timeoutMs: finishMs, tooLate: late(finishMs), signal },
    );
  } catch (error) {
    if (!signal.aborted) {
      target.server?.own.closeAllConnections?.();
      target.server?.connections.destroy();
      logger.warn(`${target.name} could not finish its work in time; it is cut off`, { error });
    }
  }
  const timeoutMs = endsAt - clock.monotonic();
  await withTimeLimit(() => target.deregister(), { clock, timeoutMs, tooLate: late(timeoutMs) }).catch(
    (error: unknown) => logger.warn(`Stopped waiting for ${target.name} to be deregistered`, { error }),
  );
}

async function announce(target: Drainable, plan: DrainPlan, context: DrainContext): Promise<void> {
  const { clock, logger, signal } = context;
  const { announce: say } = target;
  if (say === undefined) return;
  // A store that is down must not cost the work in flight its time.
  const timeoutMs = Math.min(5_000, plan.timeoutMs / 4);
  try {
    await withTimeLimit(say, { clock, timeoutMs, tooLate: late(timeoutMs), signal });
    await sleep(clock, Math.min(plan.propagationMs, plan.timeoutMs / 2), { signal });
  } catch (error) {
    signal.throwIfAborted();
    logger.warn(`Could not announce that ${target.name} drains; it finishes its work all the same`, {
      error,
    });
  }
}

async function finishInFlight(
  target: Drainable,
  plan: DrainPlan,
  context: DrainContext & CloseContext,
): Promise<void> {
  await Promise.all([
    target.server === undefined
      ? undefined
      : closeServer(target.server.own, target.server.connections, context),
    callFinish(target, plan, context),
  ]);
}

async function callFinish({ name }: Drainable, { finish }: DrainPlan, context: DrainContext): Promise<void> {
  try {
    await finish?.({ signal: context.signal });
  } catch (error) {
    context.logger.warn(`The finish callback of ${name} failed`, { error });
  }
}

function late(ms: number): () => Error {
  return () => new Error(`not done within ${ms} ms`);
}
