import type { IKeyValue } from 'etcd3';
import type { Connection, RequestContext } from './connection.ts';
import { isOfOneOperation } from './etcd-errors.ts';
import type { KeyRange } from './key-range.ts';

export interface Reading {
  readonly kvs: readonly IKeyValue[];
  /** What is read is all there is at this revision. */
  readonly revision: number;
}

interface PendingRead {
  readonly range: KeyRange & { readonly keys_only: boolean };
  readonly context: RequestContext;
  readonly resolve: (reading: Reading) => void;
  readonly reject: (error: unknown) => void;
}

/** As etcd allows by default. */
const mostOperations = 128;

/** Reads of the same moment in few transactions: a process whose thousand watches begin anew asks eight times. */
export class ReadBatches {
  readonly #connection: Connection;
  readonly #prefix: string;
  #pending: PendingRead[] = [];

  /** @param prefix that all keys begin with, for messages */
  constructor(connection: Connection, prefix: string) {
    this.#connection = connection;
    this.#prefix = prefix;
  }

  /** The signal of the context is for its caller to look at afterwards. */
  read(range: KeyRange, keysOnly: boolean, { signal: _, ...context }: RequestContext): Promise<Reading> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ range: { ...range, keys_only: keysOnly }, context, resolve, reject });
      if (this.#pending.length === 1) setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    const all = this.#pending;
    this.#pending = [];
    for (let from = 0; from < all.length; from += mostOperations)
      void this.#send(all.slice(from, from + mostOperations));
  }

  /** Never rejects. */
  async #send(batch: readonly PendingRead[]): Promise<void> {
    try {
      const [first] = batch;
      const context = batch.length === 1 ? { ...first?.context } : { keys: this.#prefix };
      const { header, responses } = await this.#connection.kv(context).txn({
        success: batch.map(({ range }) => ({ request_range: range })),
      });
      const revision = Number(header.revision);
      for (const [index, { resolve }] of batch.entries())
        resolve({ kvs: responses[index]?.response_range.kvs ?? [], revision });
    } catch (error) {
      // Whose fault it is shows when each goes alone.
      if (batch.length > 1 && isOfOneOperation(Reflect.get(Object(error), 'cause')))
        await Promise.all(batch.map((read) => this.#send([read])));
      else for (const { reject } of batch) reject(error);
    }
  }
}
