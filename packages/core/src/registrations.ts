import * as v from 'valibot';
import { abortable } from './abortable.ts';
import type { Lease, RegisterOptions } from './backend.ts';
import type { Clock } from './clock.ts';
import { ClosedError } from './errors.ts';
import { HeldLease, type Placement } from './held-lease.ts';
import { createInstance, type ServiceInstance } from './service-instance.ts';
import { validate } from './validation.ts';

export interface RegistrationsOptions<P extends Placement = Placement> {
  /** For the `ClosedError`: `The redis backend`. */
  readonly owner: string;
  readonly clock: Clock;
  /** How long `close()` waits for what is being undone, in milliseconds. Default: 1,000. */
  readonly patienceMs?: number | undefined;
  /** Puts the instance into the store. Goes on when nobody waits for it any more: what came through is taken back. */
  place(instance: ServiceInstance, ttl: number): Promise<P>;
  /** A lease to renew from now on. */
  readonly onHeld?: ((lease: HeldLease, placement: P) => void) | undefined;
  /** It was released, lost, replaced or abandoned: renew it no more. */
  readonly onEnded?: ((lease: HeldLease, placement: P) => void) | undefined;
}

/**
 * All that backends have in common when they register: options are checked, one that was aborted or overtaken by
 * `close()` leaves nothing behind, and the newest lease of an instance replaces the one before.
 */
export class Registrations<P extends Placement = Placement> {
  readonly #options: RegistrationsOptions<P>;
  readonly #leases = new Map<string, HeldLease>();
  /** Those that the store has not answered yet. */
  readonly #pending = new Set<Promise<unknown>>();
  /** The same by instance: thousands may be under way. */
  readonly #attempts = new Map<string, Set<Attempt>>();
  #begun = 0;
  readonly #closed = new AbortController();

  constructor(options: RegistrationsOptions<P>) {
    this.#options = options;
  }

  /** Those held now. */
  get leases(): Iterable<HeldLease> {
    return this.#leases.values();
  }

  get(service: string, id: string): HeldLease | undefined {
    return this.#leases.get(keyOf(service, id));
  }

  async register(instance: ServiceInstance, options: RegisterOptions): Promise<Lease> {
    const { ttl, signal } = validate('register()', registerSchema, options);
    this.assertUsable(signal);
    const checked = createInstance(instance, this.#options.clock.now());
    const key = keyOf(checked.service, checked.id);
    const attempt: Attempt = {
      key,
      number: ++this.#begun,
      signal,
      isOvertaken: false,
      settled: Promise.resolve(),
    };
    const attempts = this.#attempts.get(attempt.key) ?? new Set();
    this.#attempts.set(attempt.key, attempts.add(attempt));
    const registering = this.#register(checked, Math.ceil(ttl), attempt);
    this.#pending.add(registering);
    const forget = (): void => {
      this.#pending.delete(registering);
      attempts.delete(attempt);
      if (attempts.size === 0) this.#attempts.delete(attempt.key);
      if (signal?.aborted === true) for (const each of attempts) each.isOvertaken = true;
    };
    attempt.settled = registering.then(forget, forget);
    return abortable(registering, signal).catch((error: unknown) => {
      // It may have aborted in the moment between the lease and here.
      registering.then((lease) => lease.release()).catch(() => undefined);
      throw error;
    });
  }

  /** @throws {ClosedError} after `close()`, or what the signal has aborted with */
  assertUsable(signal?: AbortSignal): void {
    this.#closed.signal.throwIfAborted();
    signal?.throwIfAborted();
  }

  /** Aborts with a `ClosedError` when the backend closes. */
  get closed(): AbortSignal {
    return this.#closed.signal;
  }

  /** Abandons all leases, and waits a while for registrations under way to be undone. */
  async close(): Promise<void> {
    const { owner, clock, patienceMs = 1_000 } = this.#options;
    if (this.#closed.signal.aborted) return;
    this.#closed.abort(new ClosedError(owner));
    for (const lease of [...this.#leases.values()]) lease.abandon();
    if (this.#pending.size === 0) return;
    const patience = new AbortController();
    const timer = clock.setTimer(() => patience.abort(), patienceMs);
    await abortable(Promise.allSettled(this.#pending), patience.signal).catch(() => undefined); // they end with their ttl
    timer.cancel();
  }

  async #register(instance: ServiceInstance, ttl: number, attempt: Attempt): Promise<Lease> {
    const { key, signal } = attempt;
    const { clock, onHeld, onEnded } = this.#options;
    const renewedAt = clock.monotonic();
    const placement = await this.#options.place(instance, ttl);
    if (this.#closed.signal.aborted || signal?.aborted === true) {
      await placement.remove();
      this.assertUsable(signal);
    }
    this.#leases.get(key)?.drop('replaced');
    const lease = new HeldLease(instance, {
      ttl,
      placement,
      clock,
      renewedAt,
      successors: () => this.#settled(attempt),
      isOvertaken: () => attempt.isOvertaken || Array.from(this.#attempts.get(key) ?? []).some(isGivenUp),
      onEnd: (ended) => {
        if (this.#leases.get(key) === ended) this.#leases.delete(key);
        onEnded?.(ended, placement);
      },
    });
    this.#leases.set(key, lease);
    onHeld?.(lease, placement);
    attempt.isOvertaken = false; // what comes from now on is news
    return lease;
  }

  /** Resolves when those of the same instance that were begun after it are over. */
  #settled({ key, number }: Attempt): Promise<unknown> {
    const later = Array.from(this.#attempts.get(key) ?? []).filter((each) => each.number > number);
    return Promise.all(later.map(({ settled }) => settled));
  }
}

/** A registration that the store has not answered yet. */
interface Attempt {
  readonly key: string;
  /** In the order of their beginning. */
  readonly number: number;
  readonly signal: AbortSignal | undefined;
  /** Whether one of the same instance that was given up may have come after it. */
  isOvertaken: boolean;
  /** Never rejects. */
  settled: Promise<void>;
}

const isGivenUp = ({ signal }: Attempt): boolean => signal?.aborted === true;

/** Ids have any characters, names of services have no slash. */
const keyOf = (service: string, id: string): string => `${service}/${id}`;

const ttlText = 'milliseconds from 1 to 31536000000, a year';
const registerSchema = v.strictObject(
  {
    ttl: v.pipe(v.number(ttlText), v.minValue(1, ttlText), v.maxValue(31_536_000_000, ttlText)),
    signal: v.optional(v.instance(AbortSignal, 'an AbortSignal')),
  },
  'an object with a ttl',
);
