import {
  AccessDeniedError,
  Backoff,
  type Clock,
  type DiscoveryLogger,
  type HeldLease,
  type Rng,
  type Timer,
} from '@sd/core';
import type { Connection } from './connection.ts';

export interface ProcessLeaseOptions {
  readonly connection: Connection;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger: DiscoveryLogger;
  /** etcd has renewed it. */
  readonly onRenewed: (lease: ProcessLease) => void;
}

/** What stays published with a lease of etcd. */
export interface LeaseMember {
  readonly held: HeldLease | undefined;
  drop(reason: 'expired' | 'store-lost'): void;
}

/**
 * The lease of etcd that all instances with one time to live share. It is granted for the first of them, renewed every
 * third of its time, and lost when etcd says so, never before: then the next instance gets another one.
 */
export class ProcessLease {
  readonly #options: ProcessLeaseOptions;
  readonly #backoff: Backoff;
  readonly #members = new Set<LeaseMember>();
  readonly #granted: Promise<string>;
  #id: string | undefined;
  #ttlMs: number;
  #renewedAt: number;
  #timer: Timer | undefined;
  #isFailing = false;
  #isOver = false;

  /** @param seconds etcd counts in whole ones, and may grant more */
  constructor(seconds: number, options: ProcessLeaseOptions) {
    this.#options = options;
    this.#ttlMs = seconds * 1_000;
    this.#renewedAt = options.clock.monotonic();
    const capMs = Math.min(1_000, this.#ttlMs / 3);
    this.#backoff = new Backoff({ baseMs: 100, capMs, rng: options.rng });
    this.#granted = this.#grant(seconds);
  }

  /** Known once it is granted. */
  get id(): string | undefined {
    return this.#id;
  }

  /** On the monotonic clock: when etcd was asked for the renewal that it granted last. */
  get renewedAt(): number {
    return this.#renewedAt;
  }

  /** Whether nobody may join any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** @throws why it was not granted */
  async join(member: LeaseMember): Promise<string> {
    this.#members.add(member);
    try {
      return await this.#granted;
    } catch (error) {
      this.#isOver = true;
      throw error;
    }
  }

  /** Without members it is left to run out. */
  leave(member: LeaseMember): void {
    this.#members.delete(member);
    if (this.#members.size === 0) this.close();
  }

  /** etcd does not know it. */
  lost(): void {
    if (this.#isOver) return;
    this.close();
    const isOverdue = this.#options.clock.monotonic() - this.#renewedAt >= this.#ttlMs;
    for (const member of [...this.#members]) member.drop(isOverdue ? 'expired' : 'store-lost');
  }

  close(): void {
    this.#isOver = true;
    this.#timer?.cancel();
  }

  async #grant(seconds: number): Promise<string> {
    const { ID, TTL } = await this.#options.connection
      .lease({ right: 'readwrite' })
      .leaseGrant({ TTL: seconds });
    this.#id = ID;
    this.#ttlMs = Number(TTL) * 1_000;
    if (!this.#isOver) this.#renewLater();
    return ID;
  }

  /** A tenth apart, so that processes that started together do not stay together. */
  #renewLater(): void {
    const { clock, rng } = this.#options;
    this.#renewIn((this.#ttlMs / 3) * (0.9 + 0.1 * rng()) - (clock.monotonic() - this.#renewedAt));
  }

  #renewIn(delayMs: number): void {
    this.#timer = this.#options.clock.setTimer(() => void this.#renew(), Math.max(0, delayMs));
  }

  /** Never rejects. */
  async #renew(): Promise<void> {
    const { connection, clock, logger } = this.#options;
    const startedAt = clock.monotonic();
    try {
      const { TTL } = await connection.keepAlive(this.#id ?? '0');
      if (this.#isOver) return;
      if (!(Number(TTL) > 0)) {
        this.lost();
        return;
      }
      this.#renewedAt = startedAt;
      this.#backoff.reset();
      if (this.#isFailing) logger.info('etcd renews registrations again');
      this.#isFailing = false;
      for (const { held } of this.#members) held?.renewed(startedAt);
      this.#renewLater();
      this.#options.onRenewed(this);
    } catch (error) {
      if (this.#isOver) return;
      if (!this.#isFailing) logger.warn('etcd does not renew registrations; asking until it does', { error });
      this.#isFailing = true;
      // Asking again soon is of use while etcd is away, not where somebody must change something first.
      this.#renewIn(error instanceof AccessDeniedError ? this.#ttlMs / 3 : this.#backoff.next());
    }
  }
}
