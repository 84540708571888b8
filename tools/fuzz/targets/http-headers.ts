import { deadlineOf } from '@sd/client';
import { parseRetryAfter } from '../../../packages/client/src/retry-after.ts';
import { holds } from '../oracle.ts';
import type { FuzzTarget } from '../target.ts';

const now = Date.UTC(2026, 0, 1);

/** Headers that decide how long somebody waits. */
export const httpHeaders: FuzzTarget = {
  name: 'http-headers',
  format: 'text',
  seeds: [
    '120',
    'Thu, 01 Jan 2026 00:00:05 GMT',
    '0',
    '-1',
    '1.5',
    '99999999999999999999',
    'never',
    ' 3 ',
    '1e3',
  ],
  words: ['Thu, ', ' GMT', '2026', '9999', '+', '-', '0', 'e', '.', 'Jan', '00:00:00', '275760'],
  run(input) {
    const text = input.toString('latin1');
    const afterMs = parseRetryAfter(text, now);
    holds(afterMs === undefined || afterMs >= 0, `a pause of ${afterMs} ms`);
    const deadlineMs = deadlineOf({ 'sd-timeout-ms': text });
    holds(
      deadlineMs === undefined || (deadlineMs >= 1 && Number.isSafeInteger(deadlineMs)),
      `${deadlineMs} ms`,
    );
  },
};
