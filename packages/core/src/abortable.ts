import { onAbort } from './on-abort.ts';

/**
 * Waits for `promise`, but no longer than the signal allows. The work behind it is not stopped.
 * @throws the signal's reason, as soon as it aborts
 */
export function abortable<T>(promise: PromiseLike<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return Promise.resolve(promise);
  return new Promise((resolve, reject) => {
    const abort = (): void => reject(signal.reason);
    const forget = onAbort(signal, abort);
    if (signal.aborted) abort();
    promise.then(
      (value) => {
        forget();
        resolve(value);
      },
      (error: unknown) => {
        forget();
        reject(error);
      },
    );
  });
}
