import { describeValue, onAbort } from '@sd/core';
import { finding, messageOf, unhealthy } from './finding.ts';
import type { CheckResult, CheckTarget, HealthCheck } from './health-check.ts';

/**
 * Lets a check look, whatever it does: what it throws, an answer that is none, and silence until the signal aborts are
 * unhealthy. Never rejects.
 */
export function examine(check: HealthCheck, target: CheckTarget, signal: AbortSignal): Promise<CheckResult> {
  return new Promise((resolve) => {
    const look = ask(check, target, signal);
    // One turn of the event loop more: a check that honours its signal may still say how far it came.
    const forget = onAbort(signal, () => {
      setImmediate(() => resolve(unhealthy(messageOf(signal.reason))));
    });
    void look.then((result) => {
      forget();
      resolve(result);
    });
  });
}

async function ask(check: HealthCheck, target: CheckTarget, signal: AbortSignal): Promise<CheckResult> {
  try {
    const answer: unknown = await check.check(target, { signal });
    return readResult(answer) ?? unhealthy(`the check returned ${describeValue(answer)}`);
  } catch (error) {
    return unhealthy(messageOf(error));
  }
}

/** @returns undefined when it is no result: a check may be anybody's code */
export function readResult(answer: unknown): CheckResult | undefined {
  if (typeof answer !== 'object' || answer === null) return undefined;
  const status: unknown = Reflect.get(answer, 'status');
  const detail: unknown = Reflect.get(answer, 'detail');
  if (!isCheckStatus(status) || typeof detail !== 'string') return undefined;
  return finding(status, detail, { unreachable: Reflect.get(answer, 'unreachable') === true });
}

export function isCheckStatus(value: unknown): value is CheckResult['status'] {
  return value === 'healthy' || value === 'degraded' || value === 'unhealthy';
}
