import { abortable } from './abortable.ts';
import type { DiscoveryBackend } from './backend.ts';
import type { Backoff } from './backoff.ts';
import { sleep, type Clock } from './clock.ts';
import { BackendUnavailableError } from './errors.ts';
import type { DiscoveryLogger } from './logger.ts';
import type { ServiceInstance } from './service-instance.ts';
import { TimeLimit } from './time-limit.ts';

export interface Watching {
  readonly backend: DiscoveryBackend;
  readonly service: string;
  readonly firstSnapshotTimeoutMs: number;
  readonly backoff: Backoff;
  readonly clock: Clock;
  readonly logger: DiscoveryLogger;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** A watch whose snapshot this throws at has failed. */
  readonly onSnapshot: (snapshot: readonly ServiceInstance[]) => void;
  /** Called each time a watch fails, with the reason: never undefined. Must not throw. */
  readonly onLost: (error: unknown) => void;
}

/** A watch that was in sync for this long was a success: the next failure starts with the shortest pause again. */
const settledAfterMs = 10_000;

/** No pause is longer than the trouble so far and this, so that nobody is out of sync for much longer than the store. */
const leastBoundMs = 1_000;

/** Watches one service, again and again, until the signal aborts. Never rejects. */
export async function keepWatching(watching: Watching): Promise<void> {
  const { backoff, clock, signal, onLost } = watching;
  let lostAt: number | undefined;
  for (;;) {
    const { error, inSyncMs } = await watchOnce(watching);
    if (signal.aborted) return;
    onLost(error);
    const now = clock.monotonic();
    if (inSyncMs >= settledAfterMs) {
      backoff.reset();
      lostAt = now;
    }
    lostAt ??= now;
    try {
      await sleep(clock, backoff.next(leastBoundMs + now - lostAt), { signal });
      signal.throwIfAborted(); // it may have aborted in the moment between the end of the pause and here
    } catch {
      return;
    }
  }
}

async function watchOnce(
  watching: Watching,
): Promise<{ readonly error: unknown; readonly inSyncMs: number }> {
  const { backend, service, firstSnapshotTimeoutMs, clock, onSnapshot } = watching;
  const failure = (problem: string) => new BackendUnavailableError(backend.name, problem, { service });
  const tooLate = () => failure(`no snapshot of "${service}" within ${firstSnapshotTimeoutMs} ms`);
  const limit = new TimeLimit(clock, firstSnapshotTimeoutMs, tooLate, watching.signal);
  let inSyncSince = Infinity;
  let snapshots: AsyncIterator<readonly ServiceInstance[]> | undefined;
  try {
    snapshots = backend.watch(service, { signal: limit.signal })[Symbol.asyncIterator]();
    for (;;) {
      const next = await abortable(snapshots.next(), limit.signal);
      limit.signal.throwIfAborted(); // it may have aborted in the moment between the snapshot and here
      if (next.done === true) throw failure(`the watch of "${service}" ended`);
      limit.lift();
      inSyncSince = Math.min(inSyncSince, clock.monotonic());
      onSnapshot(next.value);
    }
  } catch (reason) {
    const error: unknown = reason ?? failure(`the watch of "${service}" failed without a reason`);
    return { error, inSyncMs: clock.monotonic() - inSyncSince };
  } finally {
    limit.end();
    if (snapshots !== undefined) void dismiss(snapshots, watching);
  }
}

/** Lets the backend clean up. It is not waited for: if the backend ignores its signal, this may never be done. */
async function dismiss(snapshots: AsyncIterator<unknown>, { service, logger }: Watching): Promise<void> {
  try {
    await snapshots.return?.();
  } catch (error) {
    logger.debug(`Cleaning up after a watch of "${service}" failed`, { error });
  }
}
