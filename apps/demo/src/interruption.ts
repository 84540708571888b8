import { constants } from 'node:os';

/** What ended the demo early. */
export type InterruptionSignal = 'SIGINT' | 'SIGTERM' | 'SIGPIPE';

export interface Interruption {
  /** Aborts at the first signal, and when nobody reads the output any more. */
  readonly signal: AbortSignal;
  /** As a shell reports a process that died of the signal; undefined when there was none. */
  readonly exitCode: number | undefined;
}

/** Listens to Ctrl-C and its like. A second one ends the process at once. */
export function listenForInterruption(): Interruption {
  const controller = new AbortController();
  let exitCode: number | undefined;
  let firstAt = Infinity;
  const interrupt = (name: InterruptionSignal): void => {
    exitCode ??= 128 + constants.signals[name];
    // npm passes on what the terminal has sent to the whole group already, so one Ctrl-C may come twice.
    if (performance.now() - firstAt > 500) process.exit(exitCode);
    if (!controller.signal.aborted) firstAt = performance.now();
    controller.abort();
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  process.stdout.on('error', () => interrupt('SIGPIPE'));
  return {
    signal: controller.signal,
    get exitCode() {
      return exitCode;
    },
  };
}
