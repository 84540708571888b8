/**
 * Reads a `Retry-After` header (RFC 9110, 10.2.3): seconds, or a date.
 * @param given of an answer that has it more than once, undici makes a list: the first counts, as with Node
 * @param now milliseconds since the epoch
 * @returns milliseconds from now, at least 0; undefined when there is none or it makes no sense
 */
export function parseRetryAfter(
  given: string | readonly string[] | undefined,
  now: number,
): number | undefined {
  const header = typeof given === 'object' ? given[0] : given;
  if (header === undefined) return undefined;
  if (/^\d+$/.test(header.trim())) return Number(header) * 1_000;
  // `Date.parse` also makes something of "-3" or "1.5".
  const date = /^[A-Za-z]/.test(header.trim()) ? Date.parse(header) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
