import { abortable, BackendUnavailableError, onAbort, type Clock } from '@sd/core';

export interface Limits {
  readonly clock: Clock;
  readonly timeoutMs: number;
  /** Whether answers are coming in, to whatever was asked. */
  readonly isAnswering: () => boolean;
}

export interface Deadline {
  /** Aborts when the time is over, and with the signal that was given. */
  readonly signal: AbortSignal;
  end(): void;
}

/** While answers come in, it is only that many were asked for at once: then there is so many times as much time. */
const patience = 5;

/** @param signal of the caller, who may have less patience */
export function startDeadline(
  { clock, timeoutMs, isAnswering }: Limits,
  service?: string,
  signal?: AbortSignal,
): Deadline {
  const over = new AbortController();
  const expire = (round: number): void => {
    if (round < patience && isAnswering()) timer = clock.setTimer(() => expire(round + 1), timeoutMs);
    else
      over.abort(
        new BackendUnavailableError('zookeeper', `no answer within ${round * timeoutMs} ms`, { service }),
      );
  };
  let timer = clock.setTimer(() => expire(1), timeoutMs);
  const forget = onAbort(signal, () => over.abort(signal?.reason));
  if (signal?.aborted === true) over.abort(signal.reason);
  return {
    signal: over.signal,
    end() {
      timer.cancel();
      forget();
    },
  };
}

/** Waits no longer than that. What is under way goes on. */
export async function withDeadline<T>(deadline: Deadline, work: Promise<T>): Promise<T> {
  try {
    return await abortable(work, deadline.signal);
  } finally {
    deadline.end();
  }
}
