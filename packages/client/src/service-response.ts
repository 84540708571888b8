import type { ServiceInstance } from '@sd/core';
import type { IncomingHttpHeaders } from 'node:http';
import type { Readable } from 'node:stream';
import { ResponseBodyError } from './errors.ts';

/** An answer, read to its end. */
export class ServiceResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  readonly body: Uint8Array;
  /** Who answered. */
  readonly instance: ServiceInstance;
  /** Attempts made, the one that was answered included. */
  readonly attempts: number;

  constructor(parts: Pick<ServiceResponse, 'status' | 'headers' | 'body' | 'instance' | 'attempts'>) {
    this.status = parts.status;
    this.headers = parts.headers;
    this.body = parts.body;
    this.instance = parts.instance;
    this.attempts = parts.attempts;
  }

  /** The body as UTF-8. */
  text(): string {
    return utf8.decode(this.body);
  }

  /**
   * The body as JSON; undefined if it is empty. The type is the caller's word, nothing checks it.
   * @throws {ResponseBodyError} when it is not JSON
   */
  // eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- what fetch's users write by hand
  json<T = unknown>(): T {
    try {
      return this.body.length === 0 ? (undefined as T) : (JSON.parse(this.text()) as T);
    } catch (error) {
      throw new ResponseBodyError(this, error);
    }
  }
}

const utf8 = new TextDecoder();

/** A promise of an answer, with its readings at hand: `await client.get('/').json()`. */
export interface PendingResponse extends Promise<ServiceResponse> {
  json<T = unknown>(): Promise<T>;
  text(): Promise<string>;
  bytes(): Promise<Uint8Array>;
}

export function pendingResponse(response: Promise<ServiceResponse>): PendingResponse {
  return Object.assign(response, readings);
}

/** Shared, as one is made for each request. */
const readings = {
  json<T>(this: Promise<ServiceResponse>): Promise<T> {
    return this.then((response) => response.json<T>());
  },
  text(this: Promise<ServiceResponse>): Promise<string> {
    return this.then((response) => response.text());
  },
  bytes(this: Promise<ServiceResponse>): Promise<Uint8Array> {
    return this.then(({ body }) => body);
  },
};

/** An answer whose body is still to come. */
export interface StreamedResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: IncomingHttpHeaders;
  /** Read it to its end or destroy it: until then its endpoint counts as busy. */
  readonly body: Readable;
  readonly instance: ServiceInstance;
  readonly attempts: number;
}
