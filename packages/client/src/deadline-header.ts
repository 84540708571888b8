import type { IncomingHttpHeaders } from 'node:http';

/** Header that says how long the caller will wait, in whole milliseconds from when it was sent. */
export const deadlineHeader = 'sd-timeout-ms';

/**
 * How long the caller of a request waits for its answer: give it to your own calls as `deadlineMs`, so that nobody works
 * on for somebody who has given up.
 * @param name of the header, if the caller's `deadlineHeader` is another
 * @returns milliseconds, at least 1; undefined when the header is missing or makes no sense
 */
export function deadlineOf(headers: IncomingHttpHeaders, name: string = deadlineHeader): number | undefined {
  const value = headers[name.toLowerCase()];
  if (typeof value !== 'string' || !/^\d{1,12}$/.test(value)) return undefined;
  return Math.max(1, Number(value));
}
