import {
  encodeInstance,
  type HeldLease,
  type LeaseLossReason,
  type Placement,
  type ServiceInstance,
} from '@sd/core';
import type { MemoryStore, StoreLease } from './memory-store.ts';

/** One registration in a store: whoever renews it is told that it is lost. */
export class MemoryPlacement implements Placement {
  readonly #store: MemoryStore;
  readonly #service: string;
  readonly #id: string;
  readonly #place: StoreLease;
  #lease: HeldLease | undefined;
  #loss: LeaseLossReason | undefined;

  constructor(store: MemoryStore, instance: ServiceInstance, ttl: number) {
    this.#store = store;
    this.#service = instance.service;
    this.#id = instance.id;
    this.#place = {
      ttl,
      onLost: (reason) => {
        this.#loss = reason;
        this.#lease?.drop(reason);
      },
    };
    this.#write(instance);
  }

  async write(instance: ServiceInstance): Promise<undefined> {
    this.#write(instance);
  }

  async remove(): Promise<void> {
    this.#store.delete(this.#service, this.#id, this.#place);
  }

  renew(): void {
    this.#store.renew(this.#service, this.#id, this.#place);
  }

  /** It may be lost before it is known to be held. */
  hold(lease: HeldLease): void {
    this.#lease = lease;
    if (this.#loss !== undefined) lease.drop(this.#loss);
  }

  #write(instance: ServiceInstance): void {
    encodeInstance(instance); // refuses what nobody could read
    this.#store.write(this.#service, this.#id, instance, this.#place);
  }
}
