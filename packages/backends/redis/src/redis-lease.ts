import {
  ClosedError,
  ConfigValidationError,
  createInstance,
  describeValue,
  encodeInstance,
  LeaseLostError,
  maxRecordLength,
  type Clock,
  type Lease,
  type LeaseLossReason,
  type ServiceInstance,
} from '@sd/core';
import type { RedisStore } from './redis-store.ts';

/** One registration. Renewing it is its backend's work, until `onEnd`. */
export class RedisLease implements Lease {
  readonly ttl: number;
  readonly #store: RedisStore;
  readonly #clock: Clock;
  readonly #onEnd: (lease: RedisLease) => void;
  readonly #lost = new AbortController();
  #instance: ServiceInstance;
  /** Of the last write that was sent. */
  #sequence: number;
  #state: 'held' | 'lost' | 'released' | 'abandoned' = 'held';
  #releasing: Promise<void> | undefined;
  /** When Redis last gave it its full time, on the monotonic clock. */
  #renewedAt: number;

  constructor(
    instance: ServiceInstance,
    ttl: number,
    {
      sequence,
      store,
      clock,
      onEnd,
    }: {
      readonly sequence: number;
      readonly store: RedisStore;
      readonly clock: Clock;
      readonly onEnd: (lease: RedisLease) => void;
    },
  ) {
    this.ttl = ttl;
    this.#store = store;
    this.#clock = clock;
    this.#onEnd = onEnd;
    this.#instance = instance;
    this.#sequence = sequence;
    this.#renewedAt = clock.monotonic();
  }

  get instance(): ServiceInstance {
    return this.#instance;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async update(update: ServiceInstance): Promise<void> {
    this.#assertHeld();
    const { service, id } = this.#instance;
    const instance = createInstance(update, this.#clock.now());
    if (instance.service !== service) throw contradiction('service', instance.service, service);
    if (instance.id !== id) throw contradiction('id', instance.id, id);
    const startedAt = this.#clock.monotonic();
    const json = encode('Lease.update()', instance);
    const outcome = await this.#store.write('update', {
      service,
      id,
      json,
      ttl: this.ttl,
      sequence: (this.#sequence = this.#store.nextSequence()),
    });
    if (outcome === 'ok') this.renewed(startedAt);
    else this.drop(outcome);
    this.#assertHeld();
    this.#instance = instance;
  }

  release(): Promise<void> {
    if (this.#state === 'abandoned') return Promise.reject(this.#closed());
    if (this.#state === 'held') {
      this.#end('released');
      this.#releasing = this.#store.remove(this.#instance.service, this.#instance.id, this.#sequence);
    }
    return this.#releasing ?? Promise.resolve();
  }

  /** Redis has given it its full time. @param startedAt when it was asked to, on the monotonic clock */
  renewed(startedAt: number): void {
    this.#renewedAt = startedAt;
  }

  /** Redis no longer has it, or somebody else has. */
  drop(reason: LeaseLossReason | 'gone'): void {
    if (this.#state !== 'held') return;
    this.#end('lost');
    const overdue = this.#clock.monotonic() - this.#renewedAt >= this.ttl;
    const known = reason === 'gone' ? (overdue ? 'expired' : 'deleted') : reason;
    this.#lost.abort(new LeaseLostError(this.#instance.service, this.#instance.id, known));
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

/** @throws {ConfigValidationError} when consumers would refuse the record for its length */
export function encode(what: string, instance: ServiceInstance): string {
  const json = encodeInstance(instance);
  if (json.length <= maxRecordLength) return json;
  const expected = `at most ${maxRecordLength} characters as JSON`;
  throw new ConfigValidationError(
    what,
    [{ field: '', received: `an instance of ${json.length} characters`, expected }],
    { service: instance.service },
  );
}

function contradiction(field: string, received: string, expected: string): ConfigValidationError {
  const issue = { field, received: describeValue(received), expected: describeValue(expected) };
  return new ConfigValidationError('Lease.update()', [issue]);
}
