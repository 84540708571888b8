import { ClosedError, ConfigValidationError, ManualClock, type InstanceStatus } from '@sd/core';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { CheckResult, HealthCheck } from '../src/health-check.ts';
import type { HealthTarget } from '../src/health-publisher.ts';
import type { OwnHealth } from '../src/own-check.ts';
import { SelfCheck, type SelfCheckOptions } from '../src/self-check.ts';

describe('SelfCheck', () => {
  it('is starting until all checks have passed once', async () => {
    const { clock, selfCheck, dependency } = setUp();
    dependency.up = false;
    expect(selfCheck.status).toBe('starting');

    await clock.advance(60_000);
    expect(selfCheck.status).toBe('starting');

    dependency.up = true;
    await clock.advance(10_000);
    expect(selfCheck.status).toBe('healthy');
  });

  it('does not call a check before it has been constructed', () => {
    let looks = 0;
    setUp({ checks: { count: () => (looks += 1) } });
    expect(looks).toBe(0);
  });

  it('calls no check when it is closed at once', async () => {
    let looks = 0;
    const { clock, selfCheck } = setUp({ checks: { count: () => (looks += 1) } });
    selfCheck.close();
    await clock.advance(60_000);
    expect(looks).toBe(0);
    expect(clock.pendingTimers).toBe(0);
  });

  it('looks at once, not only after the first interval', async () => {
    const { clock, selfCheck } = setUp();
    await clock.advance(0);
    expect(selfCheck.status).toBe('healthy');
  });

  it('is unhealthy after two failures in a row, and healthy with the next pass', async () => {
    const { clock, selfCheck, dependency } = setUp();
    await clock.advance(0);
    dependency.up = false;

    await clock.advance(10_000);
    expect(selfCheck.status).toBe('healthy');
    await clock.advance(10_000);
    expect(selfCheck.status).toBe('unhealthy');

    dependency.up = true;
    await clock.advance(10_000);
    expect(selfCheck.status).toBe('healthy');
  });

  it('does not add up failures with a pass in between', async () => {
    const { clock, selfCheck, dependency } = setUp();
    await clock.advance(0);

    for (const up of [false, true, false, true, false]) {
      dependency.up = up;
      await clock.advance(10_000);
      expect(selfCheck.status).toBe('healthy');
    }
  });

  it('counts as many failures and passes as it is told to', async () => {
    const { clock, selfCheck, dependency } = setUp({ failureThreshold: 3, successThreshold: 2 });
    const seen: OwnHealth[] = [];

    for (const up of [true, true, false, false, false, true, true]) {
      dependency.up = up;
      await clock.advance(seen.length === 0 ? 0 : 10_000);
      seen.push(selfCheck.status);
    }

    expect(seen).toEqual(['starting', 'healthy', 'healthy', 'healthy', 'unhealthy', 'unhealthy', 'healthy']);
  });

  it('is no worse than degraded for what an optional check finds', async () => {
    const { clock, selfCheck } = setUp({
      checks: { database: () => true, cache: { check: failing, optional: true } },
    });
    await clock.advance(10_000);

    expect(selfCheck.status).toBe('degraded');
    expect(selfCheck.checks.get('cache')).toEqual({ status: 'unhealthy', detail: 'down', optional: true });
  });

  it('is healthy without any checks', async () => {
    const { clock, selfCheck } = setUp({ checks: {} });
    await clock.advance(0);
    expect(selfCheck.status).toBe('healthy');
  });

  it('spreads its rounds by 15 % to either side, so that a fleet does not ask at once', async () => {
    let looks = 0;
    const { clock } = setUp({ checks: { count: () => (looks += 1) }, rng: () => 0 });
    await clock.advance(8_499);
    expect(looks).toBe(1);
    await clock.advance(1);
    expect(looks).toBe(2);
  });

  it('logs when a check changes, and nothing else', async () => {
    const { clock, dependency, lines } = setUp();
    await clock.advance(30_000);
    dependency.up = false;
    await clock.advance(30_000);
    dependency.up = true;
    await clock.advance(30_000);

    expect(lines).toEqual([
      'info: Check "database" is healthy: passed',
      'warn: Check "database" is unhealthy: down',
      'info: Check "database" is healthy: passed',
    ]);
  });

  it('leaves nothing behind once it is closed', async () => {
    const aborted: unknown[] = [];
    const check = ({ signal }: { readonly signal: AbortSignal }) =>
      new Promise(() => signal.addEventListener('abort', () => aborted.push(true)));
    const { clock, selfCheck, lines } = setUp({ checks: { slow: check } });
    await clock.advance(1_000);

    selfCheck.close();
    await clock.advance(0);
    expect(aborted).toEqual([true]);
    expect(clock.pendingTimers).toBe(0);

    await clock.advance(60_000);
    expect(lines).toEqual([]);
    expect(() => selfCheck.publishTo(new Target())).toThrow(ClosedError);
  });

  it.each([
    ['checks', 'nothing', {}],
    ['checks', 'a list', { checks: 5 }],
    ['checks.database', 'no function', { checks: { database: 'select 1' } }],
    ['checks.database.check', 'no check', { checks: { database: { check: 5 } } }],
    ['checks.database', 'a check without its target', { checks: { database: { check: healthCheckOf() } } }],
    ['checks.database.opt', 'a typo', { checks: { database: { check: failing, opt: true } } }],
    ['intervalMs', 'no time', { checks: {}, intervalMs: 0 }],
    ['timeoutMs', 'a text', { checks: {}, timeoutMs: '2s' }],
    ['failureThreshold', 'none', { checks: {}, failureThreshold: 0 }],
    ['successThreshold', 'half', { checks: {}, successThreshold: 0.5 }],
    ['clock', 'half a clock', { checks: {}, clock: { now: () => 0 } }],
    ['every', 'an unknown option', { checks: {}, every: 5 }],
  ])('refuses %s: %s', (field, _what, options) => {
    const error = thrownBy(() => new SelfCheck(options as unknown as SelfCheckOptions));
    expect(error).toBeInstanceOf(ConfigValidationError);
    expect(error).toMatchObject({ field });
  });
});

describe('a check of a process', () => {
  it.each<[string, () => unknown, OwnHealth, string]>([
    ['passes with anything that it returns', async () => [{ rows: 1 }], 'healthy', 'passed'],
    ['passes with nothing', () => undefined, 'healthy', 'passed'],
    ['fails with false', async () => false, 'unhealthy', 'failed'],
    ['fails with what it throws', failing, 'unhealthy', 'down'],
    ['fails with what it rejects with', () => Promise.reject(new Error('refused')), 'unhealthy', 'refused'],
    ['fails with what is no error', () => Promise.reject('gone'), 'unhealthy', 'gone'], // eslint-disable-line @typescript-eslint/prefer-promise-reject-errors
    [
      'says how it is without a reason',
      () => ({ status: 'unhealthy' }),
      'unhealthy',
      'the check gave no detail',
    ],
    ['says itself how it is', () => ({ status: 'degraded', detail: 'slow' }), 'degraded', 'slow'],
  ])('%s', async (_what, check, status, detail) => {
    const { clock, selfCheck } = setUp({ checks: { own: check }, failureThreshold: 1 });
    await clock.advance(0);
    expect(selfCheck.checks.get('own')).toEqual({ status, detail, optional: false });
  });

  it('fails when it does not answer in time, whether it heeds its signal or not', async () => {
    const { clock, selfCheck } = setUp({
      checks: { deaf: () => new Promise(() => undefined), quick: () => true },
      failureThreshold: 1,
    });

    await clock.advance(1_999);
    expect(selfCheck.checks.get('deaf')?.status).toBe('starting');
    await clock.advance(1);

    expect(selfCheck.checks.get('deaf')).toMatchObject({
      status: 'unhealthy',
      detail: 'no answer within 2000 ms',
    });
    expect(selfCheck.checks.get('quick')?.status).toBe('healthy');
  });

  it('may be one that others are checked with, given a target', async () => {
    const targets: unknown[] = [];
    const target = { host: '10.0.0.9', port: 5432 };
    const { clock, selfCheck } = setUp({
      checks: { database: { check: healthCheckOf((asked) => targets.push(asked)), target } },
    });
    await clock.advance(0);

    expect(targets).toEqual([target]);
    expect(selfCheck.status).toBe('degraded');
  });
});

describe('publishTo', () => {
  it('tells the target the status at once, and then each change only', async () => {
    const { clock, selfCheck, dependency } = setUp();
    const target = new Target();
    selfCheck.publishTo(target);
    expect(target.told).toEqual(['starting']);

    await clock.advance(60_000);
    dependency.up = false;
    await clock.advance(60_000);
    dependency.up = true;
    await clock.advance(60_000);

    expect(target.told).toEqual(['starting', 'healthy', 'unhealthy', 'healthy']);
  });

  it('tells a target that comes later what the others know already', async () => {
    const { clock, selfCheck } = setUp();
    await clock.advance(60_000);
    const target = new Target();
    selfCheck.publishTo(target);
    expect(target.told).toEqual(['healthy']);
  });

  it('tells nothing more once that has been ended', async () => {
    const { clock, selfCheck } = setUp();
    const target = new Target();
    const stop = selfCheck.publishTo(target);
    stop();
    await clock.advance(60_000);
    expect(target.told).toEqual(['starting']);
  });

  it('tries again with each round when that fails, and says so once', async () => {
    const { clock, selfCheck, lines } = setUp({ checks: {} });
    const target = new Target();
    target.answer = () => Promise.reject(new Error('refused'));
    selfCheck.publishTo(target);

    await clock.advance(30_000);
    expect(target.told).toEqual(['starting', 'healthy', 'healthy', 'healthy', 'healthy']);
    expect(lines).toEqual(['warn: Could not publish the health of this process; trying again']);

    target.answer = () => Promise.resolve();
    await clock.advance(30_000);
    expect(target.told.slice(5)).toEqual(['healthy']);
    expect(lines.slice(1)).toEqual(['info: Published the health of this process again: healthy']);

    target.answer = () => Promise.reject(new Error('refused'));
    await clock.advance(30_000);
    expect(lines).toHaveLength(2); // nothing to tell, nothing to fail
  });

  it('does not take the others down when one throws', async () => {
    const { clock, selfCheck } = setUp();
    const broken = new Target();
    broken.answer = () => {
      throw new Error('broken');
    };
    const target = new Target();
    selfCheck.publishTo(broken);
    selfCheck.publishTo(target);
    await clock.advance(60_000);
    expect(target.told).toEqual(['starting', 'healthy']);
  });

  it('goes on checking while a target never answers, and tells it the newest', async () => {
    const { clock, selfCheck, dependency } = setUp();
    const target = new Target();
    target.answer = () => new Promise(() => undefined);
    selfCheck.publishTo(target);
    await clock.advance(0);
    dependency.up = false;
    await clock.advance(20_000);

    expect(target.told).toEqual(['starting', 'healthy', 'unhealthy']);
    expect(target.signals.map(({ aborted }) => aborted)).toEqual([true, true, false]);
    selfCheck.close();
    expect(target.signals[2]?.aborted).toBe(true);
  });

  it('does not complain of a target that has been closed', async () => {
    const { clock, selfCheck, lines } = setUp({ checks: {} });
    const target = new Target();
    target.answer = () => Promise.reject(new ClosedError('Registration'));
    selfCheck.publishTo(target);
    await clock.advance(60_000);
    expect(lines).toEqual([]);
    expect(target.told).toEqual(['starting', 'healthy']);
  });
});

describe('readiness', () => {
  it('is the status while it is published to nobody', async () => {
    const { clock, selfCheck } = setUp();
    expect(selfCheck.readiness).toBe('starting');
    await clock.advance(0);
    expect(selfCheck.readiness).toBe('healthy');
  });

  it.each<InstanceStatus>(['draining', 'out-of-service'])(
    'is what holds the registration back: %s',
    async (status) => {
      const { clock, selfCheck } = setUp();
      const target = new Target('healthy');
      selfCheck.publishTo(target);
      await clock.advance(0);
      expect(selfCheck.readiness).toBe('healthy');

      target.instance = { status };
      expect(selfCheck.readiness).toBe(status);
      expect(selfCheck.status).toBe('healthy');
    },
  );

  it('is the status while any of several registrations takes requests', async () => {
    const { clock, selfCheck } = setUp();
    selfCheck.publishTo(new Target('draining'));
    selfCheck.publishTo(new Target('degraded'));
    await clock.advance(0);
    expect(selfCheck.readiness).toBe('healthy');
  });

  it('does not wait for a target that does not say what it published', async () => {
    const { clock, selfCheck } = setUp();
    selfCheck.publishTo(new Target());
    await clock.advance(0);
    expect(selfCheck.readiness).toBe('healthy');
  });
});

/** Where health is published: keeps what it is told. */
class Target implements HealthTarget {
  readonly told: OwnHealth[] = [];
  readonly signals: AbortSignal[] = [];
  answer: () => Promise<void> = () => Promise.resolve();
  instance: { readonly status: InstanceStatus } | undefined;

  constructor(status?: InstanceStatus) {
    if (status !== undefined) this.instance = { status };
  }

  reportHealth(status: OwnHealth, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    this.told.push(status);
    this.signals.push(signal);
    return this.answer();
  }
}

/** Rounds exactly 10 s apart, and a check `database` that passes while `dependency.up`. */
function setUp(options: Partial<SelfCheckOptions> = {}) {
  const clock = new ManualClock();
  const dependency = { up: true };
  const lines: string[] = [];
  const logger = {
    debug: () => undefined,
    info: (message: string) => void lines.push(`info: ${message}`),
    warn: (message: string) => void lines.push(`warn: ${message}`),
    error: (message: string) => void lines.push(`error: ${message}`),
  };
  const checks = { database: () => (dependency.up ? true : failing()) };
  const selfCheck = new SelfCheck({ checks, clock, rng: () => 0.5, logger, ...options });
  onTestFinished(() => selfCheck.close());
  return { clock, dependency, lines, selfCheck };
}

function failing(): never {
  throw new Error('down');
}

function healthCheckOf(onCheck: (target: unknown) => void = () => undefined): HealthCheck {
  return {
    name: 'scripted',
    check: async (target): Promise<CheckResult> => {
      onCheck(target);
      return { status: 'degraded', detail: 'slow' };
    },
  };
}

function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('It should have thrown');
}
