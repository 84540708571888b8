import { expect, it } from 'vitest';
import { parseRetryAfter } from '../src/retry-after.ts';

const now = Date.UTC(2026, 0, 1);

it.each([
  ['2', 2_000],
  ['0', 0],
  ['Thu, 01 Jan 2026 00:00:05 GMT', 5_000],
  ['Wed, 31 Dec 2025 00:00:00 GMT', 0],
  ['soon', undefined],
  ['-3', undefined],
  ['1.5', undefined],
  [undefined, undefined],
])('reads %s as %s ms', (header, expected) => {
  expect(parseRetryAfter(header, now)).toBe(expected);
});
