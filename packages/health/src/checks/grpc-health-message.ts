/**
 * The two messages of `grpc.health.v1`, each in the frame that gRPC puts around a message: a byte that says whether it
 * is compressed, and four with its length.
 * Source: github.com/grpc/grpc, doc/health-checking.md and doc/PROTOCOL-HTTP2.md; protobuf.dev, Encoding.
 */

export type ServingStatus = 'UNKNOWN' | 'SERVING' | 'NOT_SERVING' | 'SERVICE_UNKNOWN';

const servingStatuses: readonly ServingStatus[] = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

/** `HealthCheckRequest { string service = 1; }`; a field of the default value is left out. */
export function encodeRequest(service: string): Buffer {
  const name = Buffer.from(service);
  const message =
    name.length === 0 ? name : Buffer.concat([Buffer.from([stringField1, ...varint(name.length)]), name]);
  const head = Buffer.alloc(frameHeadLength);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/**
 * `HealthCheckResponse { ServingStatus status = 1; }`. Other fields are skipped: a newer version may have some.
 * @returns undefined when it is no such message
 */
export function decodeResponse(frame: Buffer): ServingStatus | undefined {
  if (frame.length < frameHeadLength || frame[0] !== 0) return undefined;
  if (frame.readUInt32BE(1) !== frame.length - frameHeadLength) return undefined;
  const reader = new FieldReader(frame.subarray(frameHeadLength));
  let status = 0;
  while (!reader.done) {
    const tag = reader.varint();
    if (tag === varintField1) status = reader.varint();
    else reader.skip(tag & 7);
  }
  return reader.broken ? undefined : servingStatuses[status];
}

const frameHeadLength = 5;
const varintField1 = 0x08;
const stringField1 = 0x0a;

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

class FieldReader {
  readonly #bytes: Buffer;
  #place = 0;
  #broken = false;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get done(): boolean {
    return this.#broken || this.#place === this.#bytes.length;
  }

  get broken(): boolean {
    return this.#broken;
  }

  varint(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#bytes[this.#place];
      if (byte === undefined) break;
      this.#place += 1;
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    this.#broken = true;
    return 0;
  }

  skip(wireType: number): void {
    if (wireType === 0) this.varint();
    else if (wireType === 1) this.#skipBytes(8);
    else if (wireType === 2) this.#skipBytes(this.varint());
    else if (wireType === 5) this.#skipBytes(4);
    else this.#broken = true;
  }

  #skipBytes(count: number): void {
    this.#place += count;
    if (this.#place > this.#bytes.length) this.#broken = true;
  }
}
