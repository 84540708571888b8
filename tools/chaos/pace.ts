/**
 * How fast everything goes: a run lasts seconds, so what takes half a minute in production takes two seconds here, in the
 * same proportions. All in milliseconds.
 */
export const pace = {
  /** Short, yet what two busy cores may keep a process from running stays far below a third of it. */
  ttlMs: 2_000,
  /** What a store may take to answer; a backend takes silence for a loss within about twice that. */
  timeoutMs: 1_000,
  /** How often backends compare what they know with the store, where they do that at all. */
  pollMs: 500,
  /** The longest pause before a watch is tried again. */
  reconnectCapMs: 700,
  /** How long a view doubts a store that forgets after trouble: as `@sd/testkit` does it, long enough for all to be back. */
  verifyAfterMs: 4_000,
  deadlineMs: 2_000,
  attemptTimeoutMs: 500,
  /** From one call of a consumer to its next. */
  callEveryMs: 60,
  /** How long a provider that leaves goes on answering. */
  propagationMs: 500,
  /** Limit of a drain: work in flight takes milliseconds here. */
  drainMs: 4_000,
} as const;

export const service = 'orders';
