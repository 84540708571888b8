import type { Attempt, FailureClassifier } from '@sd/discovery';
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';

/** Sends the requests of a `ServiceClient`: by default got does; `undiciTransport` of `@sd/undici` is another. */
export interface HttpTransport {
  /** Sends a request and reads the answer to its end, whatever its status. */
  exchange(request: TransportRequest, attempt: Attempt): Promise<TransportAnswer<Uint8Array>>;
  /** The same, but resolves when the head of the answer is there. */
  open(request: TransportRequest, attempt: Attempt): Promise<TransportAnswer<Readable>>;
  /** Reads its errors. */
  readonly classify: FailureClassifier;
  /** Closes all connections, also those that are in use. */
  close(): Promise<void>;
}

export interface TransportRequest {
  /** In capitals. */
  readonly method: string;
  readonly url: string;
  /** Names in lower case; undefined takes one away that the transport would send by itself. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string | Uint8Array | Readable | undefined;
}

export interface TransportAnswer<Body> {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  readonly body: Body;
}
