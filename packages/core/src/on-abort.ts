import { setMaxListeners } from 'node:events';

/**
 * Calls `listener` when the signal aborts, unless it is removed first; not if the signal has aborted already.
 * Many waits on one signal are normal here, so Node's warning of a leak above ten listeners is switched off for it: by
 * Infinity, as of a signal with 0 `getMaxListeners` of Node 20 says that it is none, which the `fetch` of undici asks for.
 * @returns how to remove the listener
 */
export function onAbort(signal: AbortSignal | undefined, listener: () => void): () => void {
  if (signal === undefined) return () => undefined;
  setMaxListeners(Infinity, signal);
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}
