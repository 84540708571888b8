import { ProtocolError } from './jute.ts';

/** Longest answer that is read, in bytes: 32 nodes of 1 MB, which is all that is asked for at once, and more than twice that. */
export const maxFrameLength = 80_000_000;

/** Cuts what comes from a socket into frames. Memory is taken for what has come, not for what was announced. */
export class Frames {
  #chunks: Buffer[] = [];
  #length = 0;
  /** Of the frame that is coming; undefined while that is unknown. */
  #expected: number | undefined;

  /** @throws {ProtocolError} for a length that no frame has */
  *push(chunk: Buffer): Generator<Buffer, void, undefined> {
    this.#chunks.push(chunk);
    this.#length += chunk.length;
    for (;;) {
      if (this.#expected === undefined) {
        if (this.#length < 4) return;
        this.#expected = checked(this.#take(4).readInt32BE(0));
      }
      if (this.#length < this.#expected) return;
      const frame = this.#take(this.#expected);
      this.#expected = undefined;
      yield frame;
    }
  }

  #take(bytes: number): Buffer {
    const [first] = this.#chunks;
    const all =
      this.#chunks.length === 1 && first !== undefined ? first : Buffer.concat(this.#chunks, this.#length);
    this.#chunks = all.length > bytes ? [all.subarray(bytes)] : [];
    this.#length -= bytes;
    return all.subarray(0, bytes);
  }
}

function checked(length: number): number {
  if (length >= 0 && length <= maxFrameLength) return length;
  throw new ProtocolError(`a frame of ${length} bytes is announced, at most ${maxFrameLength} are read`);
}
