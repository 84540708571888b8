import { constants } from 'node:os';
import type { DiscoveryLogger } from '@sd/core';

/** Those that a process can listen to. */
export const catchableSignals = Object.keys(constants.signals).filter(
  (signal) => signal !== 'SIGKILL' && signal !== 'SIGSTOP',
);

/** Known to other copies of this package in the process, too. */
const ours = Symbol.for('@sd/registry:shutdown');

/** Of all registries of this process: it must not end before the last of them has left. */
function underWay(): Set<unknown> {
  const known: unknown = Reflect.get(process, ours);
  if (known instanceof Set) return known;
  const made = new Set<unknown>();
  Object.defineProperty(process, ours, { value: made });
  return made;
}

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
    const isLeftToOthers = process.listeners(signal).some((listener) => !(ours in listener));
    stopListening();
    const forget = ignoredByDefault() ? dieOfNext(signals) : () => undefined;
    underWay().add(handle);
    logger.info(`${signal}: deregistering before the process ends`);
    shutDown()
      .catch((error: unknown) => logger.error('Could not shut down in order', { error }))
      .finally(() => {
        underWay().delete(handle);
        forget();
        if (underWay().size === 0 && !isLeftToOthers && process.listenerCount(signal) === 0) dieOf(signal);
      });
  };
  Object.assign(handle, { [ours]: true }); // any other decides how the process ends
  // First, as those who listen once are gone from the list when it is their turn.
  for (const signal of signals) process.prependListener(signal, handle);
  return stopListening;
}

/** The first process of a container gets no signal that it does not listen to, not even from itself. */
const ignoredByDefault = (): boolean => process.pid === 1;

function dieOf(signal: NodeJS.Signals): void {
  // The code with which a shell reports that a process died of a signal.
  if (ignoredByDefault()) process.exit(128 + constants.signals[signal]);
  process.kill(process.pid, signal);
}

function dieOfNext(signals: readonly NodeJS.Signals[]): () => void {
  const forget = (): void => {
    for (const signal of signals) process.off(signal, die);
  };
  const die = (signal: NodeJS.Signals): void => {
    forget();
    if (process.listenerCount(signal) === 0) dieOf(signal);
  };
  for (const signal of signals) process.on(signal, Object.assign(die, { [ours]: true }));
  return forget;
}
