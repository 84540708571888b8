import { describe, expect, it } from 'vitest';
import { functionCheck } from '../src/checks/function-check.ts';
import { HealthChecker } from '../src/health-checker.ts';
import { unaborted } from './local-servers.ts';

const target = { host: '10.0.0.1', port: 8080 };
const answerOf = (answer: unknown) =>
  functionCheck('mine', () => answer as boolean).check(target, { signal: unaborted() });

describe('functionCheck()', () => {
  it.each([
    [undefined, 'healthy', 'passed'],
    [true, 'healthy', 'passed'],
    [false, 'unhealthy', 'failed'],
    ['degraded', 'degraded', 'degraded'],
    [{ status: 'degraded', detail: 'queue at 90 %' }, 'degraded', 'queue at 90 %'],
    [Promise.resolve(false), 'unhealthy', 'failed'],
    ['ok', 'unhealthy', 'the function returned "ok"'],
    [1, 'unhealthy', 'the function returned 1'],
    [null, 'unhealthy', 'the function returned null'],
    [{ status: 'fine', detail: '' }, 'unhealthy', 'the function returned {"status":"fine","detail":""}'],
  ])('takes %o for %s', async (answer, status, detail) => {
    expect(await answerOf(answer)).toEqual({ status, detail });
  });

  it('gets the target and the signal', async () => {
    const signal = unaborted();
    let given: unknown;
    await functionCheck('mine', (...args) => void (given = args)).check(target, { signal });
    expect(given).toEqual([target, { signal }]);
  });

  it('is unhealthy when it throws, in a checker', async () => {
    const check = functionCheck('mine', () => {
      throw new Error('no connection in the pool');
    });
    expect(await new HealthChecker({ check }).check(target)).toMatchObject({
      check: 'mine',
      status: 'unhealthy',
      detail: 'no connection in the pool',
    });
  });
});
