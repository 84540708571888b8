import { onAbort } from '@sd/core';

/**
 * A signal that aborts with the first of others. Unlike `AbortSignal.any` it can be cut loose, so that a long-lived
 * signal does not gather listeners of calls that ended long ago.
 */
export function linkSignals(...sources: readonly (AbortSignal | undefined)[]): {
  readonly signal: AbortSignal;
  readonly unlink: () => void;
} {
  const controller = new AbortController();
  const unlinks = sources.map((source) => {
    if (source?.aborted === true) controller.abort(source.reason);
    return onAbort(source, () => controller.abort(source?.reason));
  });
  return { signal: controller.signal, unlink: () => unlinks.forEach((unlink) => unlink()) };
}
