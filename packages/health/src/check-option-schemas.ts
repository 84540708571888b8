import { followOptions } from '@sd/core';
import * as v from 'valibot';
import type { HealthCheck } from './health-check.ts';

export const { clock, rng, logger } = followOptions.entries;

export const wholeNumber = (least: number, most: number, what: string) => {
  const expected = `${what} from ${least} to ${most}`;
  return v.pipe(
    v.number(expected),
    v.integer(expected),
    v.minValue(least, expected),
    v.maxValue(most, expected),
  );
};

export const share = (most: number) => {
  const expected = `a share from 0 to ${most}`;
  return v.pipe(v.number(expected), v.minValue(0, expected), v.maxValue(most, expected));
};

const durationText = 'milliseconds from 1 to 86400000';
export const duration = v.pipe(
  v.number(durationText),
  v.minValue(1, durationText),
  v.maxValue(86_400_000, durationText),
);

export const port = wholeNumber(1, 65_535, 'a port');

const textText = 'a text of 1 to 1024 characters';
export const text = v.pipe(v.string(textText), v.nonEmpty(textText), v.maxLength(1_024, textText));

export const signal = v.optional(v.instance(AbortSignal, 'an AbortSignal'));

export const healthCheck = v.custom<HealthCheck>(
  (value) =>
    typeof Reflect.get(Object(value), 'check') === 'function' &&
    typeof Reflect.get(Object(value), 'name') === 'string',
  'a health check: name, check()',
);

/** In HTTP. A path that starts so is sent as it stands, so it must be written as in a URL. */
const pathText = 'a path such as "/health", encoded as in a URL';
export const path = v.pipe(
  v.string(pathText),
  v.regex(/^\/[\x21\x22\x24-\x7e]*$/, pathText),
  v.maxLength(1_024, pathText),
);
