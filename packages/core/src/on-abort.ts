import { setMaxListeners } from 'node:events';

/**
 * Calls `listener` when the signal aborts, unless it is removed first; not if the signal has aborted already.
 * Many waits on one signal are normal here, so Node's warning of a leak above ten listeners is switched off for it.
 * @returns how to remove the listener
 */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return () => undefined;
  setMaxListeners(0, signal);
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}
