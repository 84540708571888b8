import {
  ClosedError,
  ConfigValidationError,
  createInstance,
  describeValue,
  LeaseLostError,
  type Lease,
  type LeaseLossReason,
  type ServiceInstance,
} from '@sd/core';
import type { MemoryStore, StoreLease } from './memory-store.ts';

/** One registration. It does not renew itself: its backend does, until `onEnd`. */
export class MemoryLease implements Lease {
  readonly #store: MemoryStore;
  readonly #onEnd: (lease: MemoryLease) => void;
  readonly #place: StoreLease;
  readonly #lost = new AbortController();
  #instance: ServiceInstance;
  #state: 'held' | 'lost' | 'released' | 'abandoned' = 'held';

  constructor(
    store: MemoryStore,
    instance: ServiceInstance,
    ttl: number,
    onEnd: (lease: MemoryLease) => void,
  ) {
    this.#store = store;
    this.#onEnd = onEnd;
    this.#place = { ttl, onLost: (reason) => this.#drop(reason) };
    this.#instance = instance;
    store.write(instance.service, instance.id, instance, this.#place);
  }

  get ttl(): number {
    return this.#place.ttl;
  }

  get instance(): ServiceInstance {
    return this.#instance;
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  async update(update: ServiceInstance): Promise<void> {
    const { service, id } = this.#instance;
    if (this.#state === 'lost') throw this.#lost.signal.reason;
    if (this.#state !== 'held') throw this.#closed();
    const instance = createInstance(update, this.#store.clock.now());
    if (instance.service !== service) throw contradiction('service', instance.service, service);
    if (instance.id !== id) throw contradiction('id', instance.id, id);
    this.#store.write(service, id, instance, this.#place);
    this.#instance = instance;
  }

  async release(): Promise<void> {
    if (this.#state === 'abandoned') throw this.#closed();
    if (this.#state !== 'held') return;
    this.#end('released');
    this.#store.delete(this.#instance.service, this.#instance.id, this.#place);
  }

  renew(): void {
    this.#store.renew(this.#instance.service, this.#instance.id, this.#place);
  }

  /** The backend closes: the record is left to expire. */
  abandon(): void {
    this.#end('abandoned');
  }

  #drop(reason: LeaseLossReason): void {
    if (this.#state !== 'held') return;
    this.#end('lost');
    this.#lost.abort(new LeaseLostError(this.#instance.service, this.#instance.id, reason));
  }

  #end(state: 'lost' | 'released' | 'abandoned'): void {
    this.#state = state;
    this.#onEnd(this);
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
