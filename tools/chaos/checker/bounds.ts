import { pace } from '../pace.ts';

/** What a process may have to wait for one of two busy cores, and timers for it. */
export const busyMs = 750;

/**
 * The same for the harness. All calls and all that is said to the store go through its proxies: when it stands still for the
 * timeout of an attempt, all of them are late at once, which is more than retries are for.
 */
export const proxiesBusyMs = pace.attemptTimeoutMs;

/** What is promised "soon", in milliseconds, and why it may take so long. */
export const bounds = {
  /** Beyond the deadline of a call, which a timer keeps. */
  deadlineSlackMs: busyMs,
  /** A store that refuses or resets connections is noticed with the connection. */
  noticeDownMs: 500 + busyMs,
  /** A silent one is asked for a sign of life after the timeout of the backend, and given up after as long again. */
  noticeSilentMs: 2 * pace.timeoutMs + 500 + busyMs,
  /**
   * Until all is as before: a request of the time of trouble may fail as late as 5 s after it began, which is the longest
   * that any backend waits; then comes the longest pause, and the time to connect and read, for a registration twice.
   */
  backMs: 5_000 + 2 * pace.reconnectCapMs + pace.timeoutMs + busyMs,
  /** A lease runs out, and stores look for that twice a second, or backends by their poll. */
  goneMs: pace.ttlMs + 500 + pace.pollMs + busyMs,
  /** Who deregisters is gone at once where it is pushed, and with the next poll elsewhere. */
  withdrawnMs: pace.pollMs + 500 + busyMs,
  /** A view doubts for so long what a store has forgotten, and then asks it. */
  doubtMs: pace.verifyAfterMs + pace.timeoutMs + busyMs,
  /** An endpoint that was dead or hung is tried again after its ejection, of 5 s at first. */
  ejectedMs: 5_000 + busyMs,
  /** The window of the retry budget: by then it has forgotten what was spent. */
  retriesBackMs: 2_000 + busyMs,
  /** From being told to leave until the process is gone, while all is well. */
  exitMs: pace.propagationMs + 1_000 + 2 * busyMs,
  /** The same where the store cannot be told: the drain has its limit, and deregistering that of the ttl. */
  exitInTroubleMs: pace.drainMs + 2 * pace.ttlMs + 2 * busyMs,
} as const;

/** When all must have come right after the last fault: somebody who died just before it was held back in doubt. */
export const settleMs = bounds.backMs + bounds.doubtMs + bounds.goneMs;
