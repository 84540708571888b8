import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';

/** `net/http` of Go collects so many bytes before it writes a chunk. */
const bufferSize = 2_048;

export interface ResponseHead {
  readonly status: number;
  readonly contentType?: string;
  /** Sorted in among the others. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Whether priority and fairness has seen the request; it has not before it is authenticated, nor when it is shed. */
  readonly isClassified?: boolean;
}

/**
 * Answers as an API server does, down to the order of headers and the places where one chunk ends: a body that is done
 * before the buffer is full has a length, all others come in chunks of the buffer's size.
 */
export class KubernetesResponse {
  readonly #response: ServerResponse;
  readonly #head: ResponseHead;
  readonly #buffer: Buffer[] = [];
  #buffered = 0;

  constructor(response: ServerResponse, head: ResponseHead) {
    this.#response = response;
    this.#head = head;
  }

  get isOpen(): boolean {
    return !this.#response.destroyed && !this.#response.writableEnded;
  }

  onClose(listener: () => void): void {
    this.#response.on('close', listener);
  }

  write(text: string): void {
    let bytes = Buffer.from(text);
    while (this.#buffered + bytes.length > bufferSize) {
      const free = this.#buffered === 0 ? bytes.length : bufferSize - this.#buffered;
      this.#add(bytes.subarray(0, free));
      this.flush();
      bytes = bytes.subarray(free);
    }
    this.#add(bytes);
  }

  /** Sends what is there, and the head if that has not been sent. */
  flush(): void {
    this.#sendHead(undefined);
    if (this.#buffered === 0) return this.#response.flushHeaders();
    this.#response.write(this.#take());
  }

  end(): void {
    const rest = this.#take();
    this.#sendHead(rest.length);
    this.#response.end(rest);
  }

  /** The connection breaks, with a chunk half sent if there is a line for it. */
  cut(line?: string): void {
    const { socket } = this.#response;
    if (line === undefined) return void socket?.destroy();
    const half = line.slice(0, Math.floor(line.length / 2));
    socket?.write(`${Buffer.byteLength(line).toString(16)}\r\n${half}`, () => socket.destroy());
  }

  #add(bytes: Buffer): void {
    this.#buffer.push(bytes);
    this.#buffered += bytes.length;
  }

  #take(): Buffer {
    this.#buffered = 0;
    return Buffer.concat(this.#buffer.splice(0));
  }

  #sendHead(length: number | undefined): void {
    const response = this.#response;
    if (response.headersSent) return;
    const { status, contentType = 'application/json', headers = {}, isClassified = true } = this.#head;
    const sorted = Object.entries({
      'Audit-Id': randomUUID(),
      'Cache-Control': 'no-cache, private',
      'Content-Type': contentType,
      ...(isClassified
        ? { 'X-Kubernetes-Pf-Flowschema-Uid': flowSchema, 'X-Kubernetes-Pf-Prioritylevel-Uid': priorityLevel }
        : {}),
      ...headers,
    }).sort(([left], [right]) => (left < right ? -1 : 1));
    const framing =
      length === undefined ? ['Transfer-Encoding', 'chunked'] : ['Content-Length', String(length)];
    response.sendDate = false;
    // Go has no `Connection` in it while the connection is kept.
    response.removeHeader('Connection');
    response.writeHead(status, [...sorted.flat(), 'Date', new Date().toUTCString(), ...framing]);
  }
}

const flowSchema = randomUUID();
const priorityLevel = randomUUID();
