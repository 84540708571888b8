import type { Lease } from './backend.ts';
import type { Clock } from './clock.ts';
import { ClosedError, LeaseLostError, type LeaseLossReason } from './errors.ts';
import { createInstance, type ServiceInstance } from './service-instance.ts';
import { ConfigValidationError, describeValue } from './validation.ts';

/** Why the store has a lease no more; `gone` where it does not say: then the time since the last renewal tells. */
export type LeaseLoss = LeaseLossReason | 'gone';

/** What a backend can do to one registration of its own. */
export interface Placement {
  /** Puts the changed instance into the store; resolves with the reason when the lease is lost. */
  write(instance: ServiceInstance): Promise<LeaseLoss | undefined>;
  /** Takes it out of the store, if it is still ours. */
  remove(): Promise<void>;
}

/** A lease of any backend. Renewing it is its backend's work, until `onEnd`. */
export class HeldLease implements Lease {
  /** In milliseconds. */
  readonly ttl: number;
  readonly #placement: Placement;
  readonly #clock: Clock;
  readonly #onEnd: (lease: HeldLease) => void;
  readonly #successors: () => Promise<unknown>;
  readonly #isOvertaken: () => boolean;
  readonly #lost = new AbortController();
  #instance: ServiceInstance;
  #state: 'held' | 'lost' | 'released' | 'abandoned' = 'held';
  #releasing: Promise<void> | undefined;
  #renewedAt: number;

  constructor(
    instance: ServiceInstance,
    options: {
      readonly ttl: number;
      readonly placement: Placement;
      readonly clock: Clock;
      /** Of the clock's `monotonic()`: when the store was asked for it. */
      readonly renewedAt: number;
      /** Resolves when no later registration of our own of the same instance is under way. */
      readonly successors: () => Promise<unknown>;
      /** Whether a registration of our own that was given up may be what replaced it. */
      readonly isOvertaken: () => boolean;
      readonly onEnd: (lease: HeldLease) => void;
    },
  ) {
    this.ttl = options.ttl;
    this.#placement = options.placement;
    this.#clock = options.clock;
    this.#renewedAt = options.renewedAt;
    this.#onEnd = options.onEnd;
    this.#successors = options.successors;
    this.#isOvertaken = options.isOvertaken;
    this.#instance = instance;
  }

  get instance(): ServiceInstance {
    return this.#instance;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  get isHeld(): boolean {
    return this.#state === 'held';
  }

  /** Also while `onEnd` is told of it, when `lost` has not aborted yet. */
  get isLost(): boolean {
    return this.#state === 'lost';
  }

  async update(update: ServiceInstance): Promise<void> {
    this.#assertHeld();
    const { service, id } = this.#instance;
    const instance = createInstance(update, this.#clock.now());
    if (instance.service !== service) throw contradiction('service', instance.service, service);
    if (instance.id !== id) throw contradiction('id', instance.id, id);
    await this.#successors(); // what they publish is newer
    this.#assertHeld();
    const loss = await this.#placement.write(instance);
    if (loss !== undefined) this.drop(loss);
    this.#assertHeld();
    this.#instance = instance;
  }

  release(): Promise<void> {
    if (this.#state === 'abandoned') return Promise.reject(this.#closed());
    if (this.#state === 'held') {
      this.#end('released');
      this.#releasing = this.#placement.remove();
    }
    return this.#releasing ?? Promise.resolve();
  }

  /** The store has given it its full time. @param startedAt when it was asked to, on the monotonic clock */
  renewed(startedAt: number): void {
    this.#renewedAt = startedAt;
  }

  /** The store no longer has it, or somebody else has. */
  drop(loss: LeaseLoss, cause?: unknown): void {
    if (this.#state !== 'held') return;
    // It takes itself out again: there is nobody else.
    const isOwn = loss === 'replaced' && this.#isOvertaken();
    this.#end('lost');
    const isOverdue = this.#clock.monotonic() - this.#renewedAt >= this.ttl;
    const reason = loss === 'gone' ? (isOverdue ? 'expired' : 'deleted') : isOwn ? 'deleted' : loss;
    this.#lost.abort(new LeaseLostError(this.#instance.service, this.#instance.id, reason, cause));
  }

  /** The backend closes: the record is left to expire. */
  abandon(): void {
    if (this.#state === 'held') this.#end('abandoned');
  }

  #end(state: 'lost' | 'released' | 'abandoned'): void {
    this.#state = state;
    this.#onEnd(this);
  }

  #assertHeld(): void {
    if (this.#state === 'lost') throw this.#lost.signal.reason;
    if (this.#state !== 'held') throw this.#closed();
  }

  #closed(): ClosedError {
    const { service, id } = this.#instance;
    return new ClosedError(`The lease of "${id}" in service "${service}"`, { service });
  }
}

function contradiction(field: string, received: string, expected: string): ConfigValidationError {
  const issue = { field, received: describeValue(received), expected: describeValue(expected) };
  return new ConfigValidationError('Lease.update()', [issue]);
}
