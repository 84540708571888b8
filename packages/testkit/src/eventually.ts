import { realTime, type TestTime } from './test-time.ts';

export interface EventuallyOptions {
  /** How long the assertion may fail, in milliseconds of `time`. Default: 5,000. */
  readonly timeoutMs?: number | undefined;
  /** Default: real time. */
  readonly time?: TestTime | undefined;
}

/**
 * Repeats an assertion, while time passes, until it does not throw.
 * @returns what the assertion returned
 * @throws the last failure, wrapped in one that says how long it was waited for
 */
export async function eventually<T>(
  assertion: () => T | Promise<T>,
  { timeoutMs = 5_000, time = realTime() }: EventuallyOptions = {},
): Promise<T> {
  await time.advance(0);
  const deadline = time.monotonic() + timeoutMs;
  for (;;) {
    try {
      return await assertion();
    } catch (cause) {
      const leftMs = deadline - time.monotonic();
      if (leftMs <= 0) throw new Error(`Still not so after ${timeoutMs} ms: ${text(cause)}`, { cause });
      await time.advance(Math.min(stepMs, leftMs));
    }
  }
}

const stepMs = 10;

const text = (error: unknown): string => (error instanceof Error ? error.message : String(error));
