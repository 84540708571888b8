/**
 * A signal that aborts with the first of others. Unlike `AbortSignal.any` it can be cut loose, so that a long-lived
 * signal does not gather listeners of calls that ended long ago.
 */
export function linkSignals(...sources: readonly (AbortSignal | undefined)[]): {
  readonly signal: AbortSignal;
  readonly unlink: () => void;
} {
  const controller = new AbortController();
  const onAbort = (event: Event): void => {
    if (event.target instanceof AbortSignal) controller.abort(event.target.reason);
  };
  for (const source of sources) {
    if (source?.aborted === true) controller.abort(source.reason);
    else source?.addEventListener('abort', onAbort);
  }
  return {
    signal: controller.signal,
    unlink: () => sources.forEach((source) => source?.removeEventListener('abort', onAbort)),
  };
}
