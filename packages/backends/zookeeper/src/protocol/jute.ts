/** What a server sent cannot be read. */
export class ProtocolError extends Error {
  constructor(problem: string) {
    super(`what came is not the protocol of ZooKeeper: ${problem}`);
    this.name = 'ProtocolError';
  }
}

/** Writes the types of jute, ZooKeeper's encoding: all big-endian, lengths before contents. */
export class JuteWriter {
  #buffer = Buffer.allocUnsafe(256);
  #length = 0;

  int(value: number): this {
    this.#length = this.#reserve(4).writeInt32BE(value, this.#length);
    return this;
  }

  long(value: bigint): this {
    this.#length = this.#reserve(8).writeBigInt64BE(value, this.#length);
    return this;
  }

  bool(value: boolean): this {
    this.#length = this.#reserve(1).writeUInt8(value ? 1 : 0, this.#length);
    return this;
  }

  text(value: string): this {
    const bytes = Buffer.byteLength(value);
    this.int(bytes);
    this.#length += this.#reserve(bytes).write(value, this.#length);
    return this;
  }

  bytes(value: Uint8Array): this {
    this.int(value.length);
    this.#reserve(value.length).set(value, this.#length);
    this.#length += value.length;
    return this;
  }

  list<T>(values: readonly T[], write: (value: T) => void): this {
    this.int(values.length);
    values.forEach(write);
    return this;
  }

  /** What was written, as a frame: its length comes first. */
  frame(): Buffer {
    const frame = Buffer.allocUnsafe(4 + this.#length);
    frame.writeInt32BE(this.#length, 0);
    this.#buffer.copy(frame, 4, 0, this.#length);
    return frame;
  }

  #reserve(bytes: number): Buffer {
    const needed = this.#length + bytes;
    if (needed > this.#buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * this.#buffer.length));
      this.#buffer.copy(larger, 0, 0, this.#length);
      this.#buffer = larger;
    }
    return this.#buffer;
  }
}

/** Reads the types of jute from one frame, and nothing beyond its end. */
export class JuteReader {
  readonly #frame: Buffer;
  #at = 0;

  constructor(frame: Buffer) {
    this.#frame = frame;
  }

  get left(): number {
    return this.#frame.length - this.#at;
  }

  int(): number {
    return this.#frame.readInt32BE(this.#take(4));
  }

  long(): bigint {
    return this.#frame.readBigInt64BE(this.#take(8));
  }

  bool(): boolean {
    return this.#frame.readUInt8(this.#take(1)) !== 0;
  }

  text(): string {
    return this.bytes().toString('utf8');
  }

  /** A part of the frame, not a copy. Nothing (-1) is taken for empty. */
  bytes(): Buffer {
    const length = this.#lengthOf('bytes');
    const start = this.#take(length);
    return this.#frame.subarray(start, start + length);
  }

  list<T>(read: () => T): T[] {
    // Each element has a byte at least: a length that lies costs no memory.
    const length = this.#lengthOf('elements');
    return Array.from({ length }, read);
  }

  #lengthOf(what: string): number {
    const length = this.int();
    if (length < -1 || length > this.left)
      throw new ProtocolError(`${length} ${what} are announced and ${this.left} bytes left`);
    return Math.max(0, length);
  }

  #take(bytes: number): number {
    const start = this.#at;
    if (bytes > this.left) throw new ProtocolError(`${bytes} bytes are missing, ${this.left} left`);
    this.#at += bytes;
    return start;
  }
}
