import { constants } from 'node:os';
import type { DiscoveryLogger } from '@sd/core';

/** Those that a process can listen to. */
export const catchableSignals = Object.keys(constants.signals).filter(
  (signal) => signal !== 'SIGKILL' && signal !== 'SIGSTOP',
);

/**
 * On the first of these signals, shuts down and then lets the process die of that signal, as it would have without us.
 * A second signal kills at once. Where others listen to the signal as well, they decide how the process ends.
 * @returns a function that stops listening
 */
export function onShutdownSignal(
  signals: readonly NodeJS.Signals[],
  shutDown: () => Promise<void>,
  logger: DiscoveryLogger,
): () => void {
  const stopListening = (): void => {
    for (const signal of signals) process.off(signal, handle);
  };
  const handle = (signal: NodeJS.Signals): void => {
    stopListening();
    logger.info(`${signal}: deregistering before the process ends`);
    shutDown()
      .catch((error: unknown) => logger.error('Could not shut down in order', { error }))
      .finally(() => {
        if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
      });
  };
  for (const signal of signals) process.on(signal, handle);
  return stopListening;
}
