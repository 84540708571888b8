import * as v from 'valibot';

/** For an option of a backend: so many milliseconds, or nothing. */
export function durationOption(least: number, most = 3_600_000) {
  const expected = `milliseconds from ${least} to ${most}`;
  return v.optional(v.pipe(v.number(expected), v.minValue(least, expected), v.maxValue(most, expected)));
}
