/**
 * How the messages of a protocol are told apart, and which answers which. `turn` counts the messages of one side of a
 * connection, as the first may be of another kind.
 */
export interface Dialect {
  /** Over a stream of HTTP/2 for each request, or several, as gRPC does; else over connections. */
  readonly isHttp2?: boolean;
  /** Of the first message in these bytes, in bytes; undefined while that is not known. */
  lengthOf(bytes: Buffer, turn: number, from: 'client' | 'server'): number | undefined;
  /**
   * What is asked for, without what is another in each run: numbers, versions, times.
   * @param path of the stream of HTTP/2
   */
  keyOf(request: Buffer, turn: number, path: string): string;
  /** Whether the server says it without being asked. */
  isPush?(message: Buffer, turn: number): boolean;
  /** What connects an answer with its request, where it is not the order. */
  idOf?(message: Buffer, turn: number): number;
  /** The answer with the id of this request: the client of a replay numbers them anew. */
  patched?(answer: Buffer, request: Buffer, turn: number): Buffer;
  /** Whether the server answers that only when there is news. */
  waits?(key: string): boolean;
  /** Whether the stream ends with the answer. */
  endsWithAnswer?(path: string): boolean;
}

/** Collects bytes and gives whole messages. */
export class Messages {
  readonly #dialect: Dialect;
  readonly #from: 'client' | 'server';
  #bytes: Buffer = Buffer.alloc(0);
  #turn = 0;

  constructor(dialect: Dialect, from: 'client' | 'server') {
    this.#dialect = dialect;
    this.#from = from;
  }

  *push(chunk: Buffer): Generator<{ readonly message: Buffer; readonly turn: number }, void, undefined> {
    this.#bytes = Buffer.concat([this.#bytes, chunk]);
    for (;;) {
      const length = this.#dialect.lengthOf(this.#bytes, this.#turn, this.#from);
      if (length === undefined || length > this.#bytes.length) return;
      const message = this.#bytes.subarray(0, length);
      this.#bytes = this.#bytes.subarray(length);
      yield { message, turn: this.#turn };
      this.#turn += 1;
    }
  }
}
