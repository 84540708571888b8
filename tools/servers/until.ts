import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Tries every 20 ms until the attempt gives something other than `undefined` or `false`. A rejection is one more "not yet".
 *
 * @param timeoutMs default: 20 s, since a test machine may be slow
 * @throws an error that says what did not happen, with the last rejection as its cause
 */
export async function until<T>(
  what: string,
  attempt: () => Promise<T | undefined | false>,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let cause: unknown;
  do {
    try {
      const result = await attempt();
      if (result !== undefined && result !== false) return result;
      cause = undefined;
    } catch (error) {
      cause = error;
    }
    await sleep(20);
  } while (performance.now() < deadline);
  throw new Error(`Not within ${timeoutMs / 1000} s: ${what}`, { cause });
}
