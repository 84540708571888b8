import {
  BackendUnavailableError,
  type Clock,
  type DiscoveryLogger,
  type Lease,
  type RegistryBackend,
  type ServiceInstance,
} from '@sd/core';
import { nameOf } from './registration-init.ts';
import { withTimeLimit, type TimeLimitOptions } from './time-limit.ts';

export interface LeaseRequestsContext {
  readonly backend: RegistryBackend;
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly logger: DiscoveryLogger;
}

/** How long a request may take, in milliseconds, before it counts as failed. */
const requestLimitMs = 10_000;
/** How long an update in flight is waited for before its lease is released, in milliseconds. */
const overtakingLimitMs = 1_000;

/** What one registration asks of its backend: nothing takes for ever, and no lease is left behind. */
export class LeaseRequests {
  readonly #context: LeaseRequestsContext;
  /** Registrations given up before the backend answered. */
  readonly #abandoned = new Set<Promise<void>>();
  #updating: Promise<void> = Promise.resolve();

  constructor(context: LeaseRequestsContext) {
    this.#context = context;
  }

  /** Whether a registration that was given up may still go through. */
  get outstanding(): boolean {
    return this.#abandoned.size > 0;
  }

  /** @throws what the backend throws, {@link BackendUnavailableError} when it is late, or the signal's reason */
  register(instance: ServiceInstance, signal: AbortSignal): Promise<Lease> {
    const { backend, ttlMs: ttl } = this.#context;
    return this.#within(requestLimitMs, (inTime) => backend.register(instance, { ttl, signal: inTime }), {
      signal,
      onAbandon: (running) => this.#disown(running),
    });
  }

  /** @throws like `register()` */
  update(lease: Lease, instance: ServiceInstance, signal: AbortSignal): Promise<void> {
    return this.#within(requestLimitMs, () => (this.#updating = lease.update(instance)), { signal });
  }

  /** Never throws. */
  async release(lease: Lease): Promise<void> {
    try {
      // Over two connections a release could overtake the update before it, which would then publish again.
      await this.#within(overtakingLimitMs, () => this.#updating).catch(() => undefined);
      await lease.release();
    } catch (error) {
      const { logger, ttlMs } = this.#context;
      const name = nameOf(lease.instance);
      logger.warn(`Could not deregister ${name}; it stays in the store for its ttl of ${ttlMs} ms`, {
        error,
      });
    }
  }

  /** Resolves when nothing is outstanding. */
  async settled(): Promise<void> {
    await Promise.all(this.#abandoned);
  }

  /** What nobody waits for any more may still go through: then it must not stay. */
  #disown(running: Promise<Lease>): void {
    const cleanup = running
      .then(
        (lease) => this.release(lease),
        () => undefined,
      )
      .finally(() => this.#abandoned.delete(cleanup));
    this.#abandoned.add(cleanup);
  }

  #within<T>(
    timeoutMs: number,
    work: (signal: AbortSignal) => PromiseLike<T>,
    limits: Pick<TimeLimitOptions<T>, 'signal' | 'onAbandon'> = {},
  ): Promise<T> {
    const { clock, backend } = this.#context;
    const tooLate = (): unknown =>
      new BackendUnavailableError(backend.name, `no answer within ${timeoutMs} ms`);
    return withTimeLimit(work, { clock, timeoutMs, tooLate, ...limits });
  }
}
