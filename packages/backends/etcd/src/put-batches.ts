import type { ITxnResponse } from 'etcd3';
import type { Connection } from './connection.ts';
import { isOfOneOperation } from './etcd-errors.ts';

export interface Put {
  readonly key: string;
  readonly value: string;
  readonly lease: string;
}

interface PendingPut extends Put {
  readonly resolve: (revision: number) => void;
  readonly reject: (error: unknown) => void;
}

/** As etcd allows by default, with room for keys: 128 operations and 1.5 MiB. */
const most = { operations: 128, characters: 300_000 };

/** Puts of the same moment in few transactions. */
export class PutBatches {
  readonly #connection: Connection;
  readonly #prefix: string;
  #pending: PendingPut[] = [];

  /** @param prefix that all keys begin with, for messages */
  constructor(connection: Connection, prefix: string) {
    this.#connection = connection;
    this.#prefix = prefix;
  }

  /** A key must not be put again before that. @returns the revision from which on it is there */
  put(put: Put): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ ...put, resolve, reject });
      if (this.#pending.length === 1) setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const all = this.#pending;
    this.#pending = [];
    let batch: PendingPut[] = [];
    let characters = 0;
    for (const put of all) {
      const isFull = batch.length === most.operations || characters + put.value.length > most.characters;
      if (isFull && batch.length > 0) {
        void this.#send(batch);
        batch = [];
        characters = 0;
      }
      batch.push(put);
      characters += put.value.length;
    }
    void this.#send(batch);
  }

  /** Never rejects. */
  async #send(batch: readonly PendingPut[]): Promise<void> {
    try {
      const [only] = batch.length === 1 ? batch : [];
      const context = { right: 'readwrite', keys: only?.key ?? this.#prefix } as const;
      const { header }: ITxnResponse = await this.#connection.kv(context).txn({
        success: batch.map(({ key, value, lease }) => ({
          request_put: { key: Buffer.from(key), value: Buffer.from(value), lease },
        })),
      });
      for (const put of batch) put.resolve(Number(header.revision));
    } catch (error) {
      // Whose fault it is shows when each goes alone.
      if (batch.length > 1 && isOfOneOperation(Reflect.get(Object(error), 'cause')))
        await Promise.all(batch.map((put) => this.#send([put])));
      else for (const put of batch) put.reject(error);
    }
  }
}
