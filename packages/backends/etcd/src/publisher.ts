import {
  ConfigValidationError,
  type Clock,
  type DiscoveryLogger,
  type HeldLease,
  type LeaseLoss,
  type Placement,
  type Rng,
  type ServiceInstance,
} from '@sd/core';
import type { ITxnResponse } from 'etcd3';
import type { EtcdCodec } from './codec.ts';
import type { Connection } from './connection.ts';
import { isUnknownLease } from './etcd-errors.ts';
import { oneKey } from './key-range.ts';
import { KeyGuards } from './key-guards.ts';
import { OwnKey } from './own-key.ts';
import { ProcessLease } from './process-lease.ts';
import { PutBatches } from './put-batches.ts';
import type { WatchSources } from './range-watch.ts';

export interface PublisherOptions {
  readonly connection: Connection;
  readonly sources: WatchSources;
  readonly prefix: string;
  readonly codec: EtcdCodec;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly rng: Rng;
  readonly logger: DiscoveryLogger;
}

/** Puts instances into etcd, and takes them out where they are still ours. */
export class Publisher {
  readonly #options: PublisherOptions;
  readonly #puts: PutBatches;
  readonly #guards: KeyGuards;
  /** By time to live, in seconds. */
  readonly #leases = new Map<number, ProcessLease>();
  /** The newest of each key, from when it is to be put until it is removed or lost. */
  readonly #current = new Map<string, OwnKey>();
  /** What is written to a key is written in order. */
  readonly #tails = new Map<string, Promise<unknown>>();
  /** On the monotonic clock: until then a write without an answer may still come through. */
  #doubtfulUntil = -Infinity;
  /** When each lease was last looked through. */
  readonly #auditedAt = new WeakMap<ProcessLease, number>();

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#puts = new PutBatches(options.connection, options.prefix);
    this.#guards = new KeyGuards(options);
  }

  async place(instance: ServiceInstance, ttl: number): Promise<Placement> {
    const key = `${this.#options.prefix}${instance.service}/${instance.id}`;
    const own = new OwnKey(instance.service, key, this.#encode(instance), this);
    await this.#inOrder(key, async () => {
      const before = this.#current.get(key);
      this.#current.set(key, own);
      try {
        await this.#put(own, Math.ceil(ttl / 1_000));
      } catch (error) {
        if (before === undefined || before.held?.isLost === true) this.#current.delete(key);
        else this.#current.set(key, before);
        throw error;
      }
    });
    return own;
  }

  onHeld(lease: HeldLease, placement: Placement): void {
    if (!(placement instanceof OwnKey)) return;
    this.#guards.add(placement);
    placement.heldBy(lease);
  }

  onEnded(placement: Placement): void {
    if (!(placement instanceof OwnKey)) return;
    this.#guards.delete(placement);
    // One that is released is removed first: it must not be left to a lease that others keep alive.
    if (placement.held?.isLost === true) this.#forget(placement);
  }

  /** For {@link OwnKey}. */
  async write(own: OwnKey, instance: ServiceInstance): Promise<LeaseLoss | undefined> {
    const value = this.#encode(instance);
    return this.#inOrder(own.key, () =>
      own.writing(async () => {
        const put = { key: Buffer.from(own.key), value: Buffer.from(value), lease: own.lease?.id ?? '0' };
        return this.#whereOurs(own, { request_put: put }, (revision) => own.written(value, revision));
      }),
    );
  }

  /** For {@link OwnKey}. */
  async remove(own: OwnKey): Promise<void> {
    await this.#inOrder(own.key, async () => {
      try {
        await this.#whereOurs(own, { request_delete_range: oneKey(own.key) }, () => undefined);
      } finally {
        this.#forget(own); // before the next of this key is put, which would take it for one that still lives
      }
    });
  }

  close(): void {
    this.#guards.close();
    for (const lease of this.#leases.values()) lease.close();
  }

  #encode(instance: ServiceInstance): string {
    const { encode, name } = this.#options.codec;
    if (encode !== undefined) return encode(instance);
    const received = `the codec "${name}", which only reads`;
    throw new ConfigValidationError(
      'register()',
      [{ field: 'codec', received, expected: 'one that can encode, such as "sd"' }],
      { service: instance.service },
    );
  }

  /** A lease may turn out to be lost when something is put under it. */
  async #put(own: OwnKey, seconds: number): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      const lease = this.#leaseOf(seconds);
      const id = await lease.join(own);
      try {
        const revision = await this.#certain(this.#puts.put({ key: own.key, value: own.value, lease: id }));
        own.placed(lease, revision);
        return;
      } catch (error) {
        lease.leave(own);
        if (attempt === 2 || !isUnknownLease(Reflect.get(Object(error), 'cause'))) throw error;
        lease.lost();
      }
    }
  }

  #leaseOf(seconds: number): ProcessLease {
    const known = this.#leases.get(seconds);
    if (known?.isOver === false) return known;
    const lease = new ProcessLease(seconds, {
      ...this.#options,
      onRenewed: (renewed) => void this.#audit(renewed),
    });
    this.#leases.set(seconds, lease);
    return lease;
  }

  /** Writes if the key is as we have left it. @returns why it is no more ours */
  async #whereOurs(
    own: OwnKey,
    write: { readonly request_put?: object; readonly request_delete_range?: object },
    onWritten: (revision: number) => void,
  ): Promise<LeaseLoss | undefined> {
    const { key, service } = own;
    let { revision } = own;
    for (;;) {
      if (this.#current.get(key) !== own) return 'replaced';
      let answer: ITxnResponse;
      try {
        answer = await this.#certain(
          this.#options.connection.kv({ service, keys: key, right: 'readwrite' }).txn({
            compare: [{ ...oneKey(key), target: 'Mod', result: 'Equal', mod_revision: revision }],
            success: [write],
            failure: [{ request_range: oneKey(key) }],
          }),
        );
      } catch (error) {
        if (!isUnknownLease(Reflect.get(Object(error), 'cause'))) throw error;
        own.lease?.lost();
        return 'gone';
      }
      if (answer.succeeded) {
        onWritten(Number(answer.header.revision));
        return undefined;
      }
      const [entry] = answer.responses[0]?.response_range.kvs ?? [];
      const loss = own.lossBy(entry);
      if (loss !== undefined || entry === undefined) return loss;
      // With our lease it is a write of our own, whose answer was lost.
      revision = Number(entry.mod_revision);
    }
  }

  async #inOrder<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#tails.get(key);
    const result = before === undefined ? work() : before.then(work, work);
    this.#tails.set(key, result);
    try {
      return await result;
    } finally {
      if (this.#tails.get(key) === result) this.#tails.delete(key);
    }
  }

  /** Whether no other registration of this process has taken its key. */
  isNewest(own: OwnKey): boolean {
    return this.#current.get(own.key) === own;
  }

  #forget(own: OwnKey): void {
    own.lease?.leave(own);
    if (this.isNewest(own)) this.#current.delete(own.key);
  }

  /** What has failed may have been done, or be done yet. */
  async #certain<T>(work: Promise<T>): Promise<T> {
    const { clock, timeoutMs } = this.#options;
    try {
      return await work;
    } catch (error) {
      this.#doubtfulUntil = clock.monotonic() + 10 * timeoutMs;
      throw error;
    }
  }

  /** A key that was put or left behind by a request without an answer would live as long as the others of its lease. */
  async #audit(lease: ProcessLease): Promise<void> {
    const { connection, clock } = this.#options;
    const { id } = lease;
    const startedAt = clock.monotonic();
    if (id === undefined || this.#doubtfulUntil === -Infinity) return;
    if ((this.#auditedAt.get(lease) ?? -Infinity) > this.#doubtfulUntil) return;
    try {
      const { keys } = await connection.lease({}).leaseTimeToLive({ ID: id, keys: true });
      for (const bytes of keys) {
        const key = bytes.toString();
        if (this.#current.has(key) || this.#tails.has(key)) continue;
        await this.#inOrder(key, () =>
          connection.kv({ keys: key, right: 'readwrite' }).txn({
            compare: [{ key: bytes, target: 'Lease', result: 'Equal', lease: id }],
            success: [{ request_delete_range: { key: bytes } }],
          }),
        );
      }
      this.#auditedAt.set(lease, startedAt);
    } catch {
      // The next renewal looks again.
    }
  }
}
