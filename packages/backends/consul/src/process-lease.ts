import { randomUUID } from 'node:crypto';
import type { Clock } from '@sd/core';
import type { ConsulStore } from './consul-store.ts';

/** Under this name each process registers what keeps its instances published. No service of users can be called so. */
export const leaseService = '_sd-leases';

export interface ProcessLeaseOptions {
  readonly store: ConsulStore;
  readonly clock: Clock;
  /** In milliseconds. */
  readonly ttl: number;
  readonly deregisterAfterMs: number;
  /** Checks that the agent makes itself need no renewal: then it is just a name. */
  readonly isRenewed: boolean;
}

/**
 * One TTL check stands for a whole process: the checks of its instances are aliases of it, so one request renews them
 * all, and all turn critical with it.
 */
export class ProcessLease {
  /** Of its service in Consul. */
  readonly id = `sd:${randomUUID()}`;
  readonly #checkId = `sd-lease:${this.id}`;
  readonly #options: ProcessLeaseOptions;
  #granting: Promise<void> | undefined;
  #renewing: Promise<boolean> | undefined;
  #next: Promise<boolean> | undefined;
  #renewedAt: number;

  constructor(options: ProcessLeaseOptions) {
    this.#options = options;
    this.#renewedAt = options.clock.monotonic();
  }

  /** When Consul last gave it its full time, on the monotonic clock. */
  get renewedAt(): number {
    return this.#renewedAt;
  }

  get wasGranted(): boolean {
    return this.#granting !== undefined;
  }

  /** Milliseconds of its time that have passed. */
  get ageMs(): number {
    return this.#options.clock.monotonic() - this.#renewedAt;
  }

  /** Whether so much time has passed that Consul may have forgotten it. */
  get isOverdue(): boolean {
    return this.ageMs >= this.#options.ttl;
  }

  /** Makes Consul know it. @returns whether it has its full time by that */
  async grant(): Promise<boolean> {
    const { isRenewed, store, ttl, deregisterAfterMs, clock } = this.#options;
    if (!isRenewed) return true;
    if (this.#granting !== undefined) {
      await this.#granting;
      return false;
    }
    const startedAt = clock.monotonic();
    this.#granting = store.grantLease(this.id, this.#checkId, ttl, deregisterAfterMs);
    try {
      await this.#granting;
    } catch (error) {
      this.#granting = undefined;
      throw error;
    }
    this.#renewedAt = startedAt;
    return true;
  }

  /** Those who ask while a renewal is under way share the next one. @returns whether Consul knows it */
  renew(): Promise<boolean> {
    if (!this.#options.isRenewed) {
      this.#renewedAt = this.#options.clock.monotonic();
      return Promise.resolve(true);
    }
    if (this.#renewing === undefined) return this.#renew();
    const settled = this.#renewing.then(
      () => undefined,
      () => undefined,
    );
    this.#next ??= settled.then(() => {
      this.#next = undefined;
      return this.#renew();
    });
    return this.#next;
  }

  async remove(): Promise<void> {
    if (this.wasGranted) await this.#options.store.deregister(this.id, leaseService);
  }

  #renew(): Promise<boolean> {
    const { store, clock } = this.#options;
    const startedAt = clock.monotonic();
    const renewing = store.pass(this.#checkId, leaseService).then((isKnown) => {
      if (isKnown) this.#renewedAt = startedAt;
      return isKnown;
    });
    const done = (): void => {
      if (this.#renewing === renewing) this.#renewing = undefined;
    };
    this.#renewing = renewing;
    renewing.then(done, done);
    return renewing;
  }
}
