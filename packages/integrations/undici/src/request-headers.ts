import type { OpenAttempt } from '@sd/discovery';
import type { Dispatcher } from 'undici';

type Headers = Dispatcher.DispatchOptions['headers'];

/** Hot path. Those of the caller, and what is sent along; what the caller says stands. */
export function requestHeaders(own: Headers, attempt: OpenAttempt, deadlineHeader: string | false): Headers {
  const traced = attempt.headers;
  if (deadlineHeader === false && traced === undefined) return own;
  const deadline = String(Math.floor(attempt.timeoutMs));
  const hasNone = own === null || own === undefined;
  if (hasNone && traced === undefined && deadlineHeader !== false) return [deadlineHeader, deadline];
  const added: Record<string, string> = { ...traced };
  if (deadlineHeader !== false) added[deadlineHeader] = deadline;
  if (hasNone) return added;
  if (Array.isArray(own)) {
    const names = own.filter((_, index) => index % 2 === 0).map((name) => name.toLowerCase());
    const missing = Object.entries(added).filter(([name]) => !names.includes(name));
    return [...own, ...missing.flat()];
  }
  const isPlain = !(Symbol.iterator in own);
  return { ...added, ...(isPlain ? own : Object.fromEntries(own)) };
}
