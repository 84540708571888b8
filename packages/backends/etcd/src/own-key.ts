import type { HeldLease, LeaseLoss, Placement, ServiceInstance } from '@sd/core';
import type { IKeyValue } from 'etcd3';
import type { LeaseMember, ProcessLease } from './process-lease.ts';
import type { Publisher } from './publisher.ts';

/** What is known of a key at a revision: its value, if that was read, or that it is not there. */
export interface Sighting {
  readonly revision: number;
  readonly entry: Pick<IKeyValue, 'lease' | 'value'> | undefined;
  /** Whether the value was read. */
  readonly hasValue: boolean;
}

/** The key of one registration. Others may write to it: what we see of it, and our own writes, decide whether it is ours. */
export class OwnKey implements Placement, LeaseMember {
  readonly service: string;
  readonly key: string;
  readonly #publisher: Publisher;
  #lease: ProcessLease | undefined;
  /** From this revision on the key is as we have put it. */
  #revision = 0;
  #value: string;
  #held: HeldLease | undefined;
  #loss: LeaseLoss | undefined;
  #writes = 0;
  /** While we write, it cannot be told whose doing it is. */
  #seen: Sighting | undefined;

  constructor(service: string, key: string, value: string, publisher: Publisher) {
    this.service = service;
    this.key = key;
    this.#value = value;
    this.#publisher = publisher;
  }

  get held(): HeldLease | undefined {
    return this.#held;
  }

  get lease(): ProcessLease | undefined {
    return this.#lease;
  }

  get revision(): number {
    return this.#revision;
  }

  get value(): string {
    return this.#value;
  }

  /** It was put. */
  placed(lease: ProcessLease, revision: number): void {
    this.#lease = lease;
    this.#revision = revision;
    this.#loss = undefined; // of a lease that it was to be put under before
  }

  /** A later write of ours has come through. */
  written(value: string, revision: number): void {
    this.#value = value;
    this.#revision = revision;
  }

  heldBy(held: HeldLease): void {
    this.#held = held;
    if (this.#lease !== undefined) held.renewed(this.#lease.renewedAt);
    if (this.#loss !== undefined) held.drop(this.#loss);
  }

  drop(loss: LeaseLoss): void {
    this.#loss ??= loss;
    this.#held?.drop(loss);
  }

  saw(sighting: Sighting): void {
    if (this.#writes > 0) this.#seen = sighting;
    else this.#judge(sighting);
  }

  /** Nothing is judged meanwhile. */
  async writing<T>(work: () => Promise<T>): Promise<T> {
    this.#writes += 1;
    try {
      return await work();
    } finally {
      this.#writes -= 1;
      const seen = this.#seen;
      if (this.#writes === 0 && seen !== undefined) {
        this.#seen = undefined;
        this.#judge(seen);
      }
    }
  }

  /** Why it is no more ours when this is found there. */
  lossBy(entry: Sighting['entry'], hasValue = true): LeaseLoss | undefined {
    if (entry === undefined) return 'gone';
    if (entry.lease === this.#lease?.id) return undefined;
    // Somebody has taken our lease from it, or restored it without, and nobody keeps it up now.
    const isLeftOver = entry.lease === '0' && hasValue && entry.value.toString() === this.#value;
    return isLeftOver ? 'gone' : 'replaced';
  }

  write(instance: ServiceInstance): Promise<LeaseLoss | undefined> {
    return this.#publisher.write(this, instance);
  }

  remove(): Promise<void> {
    return this.#publisher.remove(this);
  }

  #judge({ revision, entry, hasValue }: Sighting): void {
    if (revision <= this.#revision || this.#loss !== undefined) return;
    const loss = this.lossBy(entry, hasValue);
    if (loss !== undefined || entry === undefined) return this.drop(loss ?? 'gone');
    // With our lease it is an update whose answer was lost, or an older one that came late: nobody else has taken the key,
    // and what is to be there is put once more.
    if (hasValue && entry.value.toString() !== this.#value)
      return this.drop(this.#publisher.isNewest(this) ? 'gone' : 'replaced');
    this.#revision = revision;
  }
}
