import { describeValue, validate } from '@sd/core';
import * as v from 'valibot';
import { text } from '../check-option-schemas.ts';
import { isCheckStatus, readResult } from '../examine.ts';
import { finding, unhealthy } from '../finding.ts';
import type { CheckResult, CheckTarget, HealthCheck } from '../health-check.ts';

/** Nothing or true: healthy. False: unhealthy, and so is what it throws. */
export type CheckAnswer = void | boolean | CheckResult['status'] | CheckResult; // eslint-disable-line @typescript-eslint/no-invalid-void-type -- functions that return nothing are meant

const schema = v.object(
  { name: text, fn: v.function('a function (target, { signal })') },
  'a name and a function',
);

/**
 * A check of your own in one function. Let it heed the signal, which aborts when its time is up.
 * @throws {ConfigValidationError} the name or the function is none
 */
export function functionCheck(
  name: string,
  fn: (target: CheckTarget, options: { readonly signal: AbortSignal }) => CheckAnswer | Promise<CheckAnswer>,
): HealthCheck {
  validate('functionCheck', schema, { name, fn });
  return {
    name,
    async check(target, options) {
      const answer: unknown = await fn(target, options);
      if (answer === undefined || answer === true) return finding('healthy', 'passed');
      if (answer === false) return unhealthy('failed');
      if (isCheckStatus(answer)) return finding(answer, answer);
      return readResult(answer) ?? unhealthy(`the function returned ${describeValue(answer)}`);
    },
  };
}
