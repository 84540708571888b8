import {
  ClosedError,
  globalLogger,
  sleep,
  systemClock,
  systemRng,
  takesRequests,
  unfailing,
  validate,
  type Clock,
  type DiscoveryLogger,
  type InstanceStatus,
  type Rng,
} from '@sd/core';
import * as v from 'valibot';
import { HealthPublisher, type HealthTarget } from './health-publisher.ts';
import { clock, duration, healthCheck, logger, rng, wholeNumber } from './check-option-schemas.ts';
import type { CheckTarget } from './health-check.ts';
import { OwnCheck, type OwnCheckInit, type OwnCheckState, type OwnHealth } from './own-check.ts';

export interface SelfCheckOptions {
  /** By name. Without any, the process is healthy as soon as it runs. */
  readonly checks: Readonly<Record<string, OwnCheckInit>>;
  /** From one round of all checks to the next, in milliseconds, give or take 15 %. Default: 10,000. */
  readonly intervalMs?: number | undefined;
  /** A check without an answer by then has failed, in milliseconds. Default: 2,000. */
  readonly timeoutMs?: number | undefined;
  /** A check is unhealthy after so many failures in a row. Default: 2. */
  readonly failureThreshold?: number | undefined;
  /** A check is healthy again after so many passes in a row. Default: 1. */
  readonly successThreshold?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly rng?: Rng | undefined;
  readonly logger?: DiscoveryLogger | undefined;
}

/**
 * A provider's checks of itself and of what it needs. They run at once and then in rounds until `close()`; what they
 * found is kept, so that asking for it costs nothing.
 */
export class SelfCheck implements Disposable {
  readonly #intervalMs: number;
  readonly #clock: Clock;
  readonly #rng: Rng;
  readonly #logger: DiscoveryLogger;
  readonly #checks: ReadonlyMap<string, OwnCheck>;
  readonly #publishers = new Set<HealthPublisher>();
  readonly #closing = new AbortController();
  #status: OwnHealth = 'starting';

  /** @throws {ConfigValidationError} naming each wrong option */
  constructor(options: SelfCheckOptions) {
    validate('SelfCheck', optionsSchema, options);
    const { intervalMs = 10_000, timeoutMs = 2_000, failureThreshold = 2, successThreshold = 1 } = options;
    const { clock = systemClock, rng = systemRng, logger = globalLogger } = options;
    this.#intervalMs = intervalMs;
    this.#clock = clock;
    this.#rng = rng;
    this.#logger = unfailing(() => logger);
    const limits = { clock, timeoutMs, failureThreshold, successThreshold };
    this.#checks = new Map(
      Object.entries(options.checks).map(([name, check]) => [name, new OwnCheck(check, limits)]),
    );
    void this.#run();
  }

  /**
   * `starting` until all checks that are not optional have passed once; then `unhealthy` while one of these is, and
   * `degraded` while another is not healthy.
   */
  get status(): OwnHealth {
    return this.#status;
  }

  /**
   * What load balancers shall believe: the status, unless all that it is published to is taken out of rotation, as by a
   * drain or an operator.
   */
  get readiness(): InstanceStatus {
    const published = [...this.#publishers].map(({ target }) => target.instance?.status ?? this.#status);
    const held = published.some(takesRequests) ? undefined : published[0];
    return held ?? this.#status;
  }

  /** What is known of each check, by its name. */
  get checks(): ReadonlyMap<string, OwnCheckState> {
    return new Map([...this.#checks].map(([name, { state }]) => [name, state]));
  }

  /**
   * Tells the target the status now and whenever it changes. When that fails it is tried again with the next round, and
   * logged once.
   * @returns a function that ends that
   * @throws {ClosedError}
   */
  publishTo(target: HealthTarget): () => void {
    if (this.#closed) throw new ClosedError('SelfCheck');
    const publisher = new HealthPublisher(target, this.#logger);
    this.#publishers.add(publisher);
    publisher.tell(this.#status);
    return () => {
      publisher.close();
      this.#publishers.delete(publisher);
    };
  }

  /** Ends all checks, also those that are under way. What was published stays. Idempotent. */
  close(): void {
    this.#closing.abort();
    for (const publisher of this.#publishers) publisher.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  get #closed(): boolean {
    return this.#closing.signal.aborted;
  }

  /** Never throws. */
  async #run(): Promise<void> {
    const { signal } = this.#closing;
    let dueAt = this.#clock.monotonic();
    while (!this.#closed) {
      await sleep(this.#clock, dueAt - this.#clock.monotonic(), { signal }).catch(() => undefined);
      dueAt = this.#clock.monotonic() + this.#intervalMs * (0.85 + 0.3 * this.#rng());
      await Promise.all([...this.#checks].map(([name, check]) => this.#look(name, check)));
      this.#conclude();
    }
  }

  async #look(name: string, check: OwnCheck): Promise<void> {
    if (this.#closed) return;
    const { status: before } = check.state;
    await check.run(this.#closing.signal);
    const { status, detail } = check.state;
    if (status === before || this.#closing.signal.aborted) return;
    this.#logger[status === 'healthy' ? 'info' : 'warn'](`Check "${name}" is ${status}: ${detail}`);
  }

  #conclude(): void {
    if (this.#closed) return;
    const states = [...this.#checks.values()].map(({ state }) => state);
    const required = states.filter(({ optional }) => !optional);
    const passed = required.every(({ status }) => takesRequests(status));
    if (passed) this.#status = states.every(({ status }) => status === 'healthy') ? 'healthy' : 'degraded';
    else if (this.#status !== 'starting') this.#status = 'unhealthy';
    for (const publisher of this.#publishers) publisher.tell(this.#status);
  }
}

const functionOr = (schema: v.GenericSchema) =>
  v.lazy((value): v.GenericSchema => (typeof value === 'function' ? v.unknown() : schema));

const described = v.pipe(
  v.strictObject(
    {
      check: functionOr(healthCheck),
      target: v.optional(v.custom<CheckTarget>(isTarget, 'an object with host and port')),
      optional: v.optional(v.boolean('true or false')),
    },
    'a function, or an object with check',
  ),
  v.check(
    ({ check, target }) => (typeof check === 'function') === (target === undefined),
    'a target with a HealthCheck, and none with a function',
  ),
);

const threshold = v.optional(wholeNumber(1, 1_000, 'a whole number'));

const optionsSchema = v.strictObject(
  {
    checks: v.record(v.string(), functionOr(described), 'an object of checks'),
    intervalMs: v.optional(duration),
    timeoutMs: v.optional(duration),
    failureThreshold: threshold,
    successThreshold: threshold,
    clock,
    rng,
    logger,
  },
  'an object with checks',
);

function isTarget(value: unknown): boolean {
  const [host, port] = ['host', 'port'].map((name): unknown => Reflect.get(Object(value), name));
  return typeof host === 'string' && typeof port === 'number';
}
