import { validate } from '@sd/core';
import * as v from 'valibot';
import { healthCheck } from './check-option-schemas.ts';
import { examine } from './examine.ts';
import { finding } from './finding.ts';
import type { CheckResult, HealthCheck } from './health-check.ts';

/**
 * As bad as the worst of them. They run side by side.
 * @throws {ConfigValidationError} there is none, or one that is no check
 */
export function allOf(checks: readonly HealthCheck[]): HealthCheck {
  return combine('allOf', 'all of', checks, (results) => Math.max(...results.map(badness)));
}

/**
 * As good as the best of them. They run side by side.
 * @throws {ConfigValidationError} there is none, or one that is no check
 */
export function anyOf(checks: readonly HealthCheck[]): HealthCheck {
  return combine('anyOf', 'any of', checks, (results) => Math.min(...results.map(badness)));
}

/**
 * No worse than degraded, whatever the check finds.
 * @throws {ConfigValidationError} it is no check
 */
export function optional(check: HealthCheck): HealthCheck {
  validate('optional', v.object({ check: healthCheck }), { check });
  return {
    name: `optional ${check.name}`,
    async check(target, { signal }) {
      const result = await examine(check, target, signal);
      return result.status === 'unhealthy' ? { ...result, status: 'degraded' } : result;
    },
  };
}

const fromBest = ['healthy', 'degraded', 'unhealthy'] as const;

const badness = ({ status }: CheckResult): number => fromBest.indexOf(status);

function combine(
  what: string,
  title: string,
  checks: readonly HealthCheck[],
  choose: (results: readonly CheckResult[]) => number,
): HealthCheck {
  const schema = v.object({
    checks: v.pipe(v.array(healthCheck, 'an array of health checks'), v.nonEmpty('at least one check')),
  });
  const parts = [...validate(what, schema, { checks }).checks];
  return {
    name: `${title} (${parts.map(({ name }) => name).join(', ')})`,
    async check(target, { signal }) {
      const results = await Promise.all(parts.map((part) => examine(part, target, signal)));
      const status = fromBest[choose(results)] ?? 'unhealthy';
      const unreachable = results.every((result) => result.unreachable === true);
      return finding(status, describe(parts, results), { unreachable });
    },
  };
}

/** Names those that are not healthy, the worst first. */
function describe(parts: readonly HealthCheck[], results: readonly CheckResult[]): string {
  const failed = results
    .map((result, index) => ({ result, name: parts[index]?.name ?? '' }))
    .filter(({ result }) => result.status !== 'healthy')
    .sort((left, right) => badness(right.result) - badness(left.result));
  if (failed.length === 0) return `${results.length} of ${results.length} healthy`;
  return failed.map(({ name, result }) => `${name} ${result.status}: ${result.detail}`).join('; ');
}
