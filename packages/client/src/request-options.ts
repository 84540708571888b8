import { ConfigValidationError } from '@sd/core';
import { callOptionsSchema, type CallOptions } from '@sd/discovery';
import { Readable } from 'node:stream';
import * as v from 'valibot';

/** Lower-case or not; undefined takes a default header away. */
export type RequestHeaders = Readonly<Record<string, string | undefined>>;

export interface RequestOptions extends Pick<
  CallOptions,
  'filter' | 'key' | 'signal' | 'deadlineMs' | 'attemptTimeoutMs' | 'retries' | 'hedge'
> {
  readonly headers?: RequestHeaders | undefined;
  /** Added to those that the path has. */
  readonly searchParams?: URLSearchParams | Readonly<Record<string, string | number | boolean>> | undefined;
  /** Sent as JSON, with the content type. */
  readonly json?: unknown;
  /** Sent as a form, with the content type. */
  readonly form?: Readonly<Record<string, string | number | boolean>> | undefined;
  /**
   * Sent as it is. A stream can be sent only once, so such a call is never repeated; when the call fails the stream is
   * destroyed, and when the stream fails the call rejects with the stream's error.
   */
  readonly body?: string | Uint8Array | Readable | undefined;
  /**
   * Whether sending it twice is as good as once, e.g. because it carries an idempotency key.
   * Default: by the method (GET, HEAD, OPTIONS, PUT, DELETE: yes; POST, PATCH: no; RFC 9110, 9.2.2).
   */
  readonly idempotent?: boolean | undefined;
  /** Reject with an `HttpStatusError` when the answer's status is 400 or above. Default: true. */
  readonly throwHttpErrors?: boolean | undefined;
}

/** By the method, in capitals (RFC 9110, 9.2.2). */
export function isIdempotent(method: string): boolean {
  return ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'].includes(method);
}

const text = v.string('a string');
export const headerName = v.pipe(v.string(), v.regex(/^[!#$%&'*+.^_`|~\dA-Za-z-]+$/, 'the name of a header'));
/** For requests and clients alike. */
export const headersSchema = v.pipe(
  v.custom<object>(isPlain, 'an object of strings; of others, Object.fromEntries(headers)'),
  v.record(headerName, v.optional(text), 'an object of strings'),
);

/** What keeps its entries elsewhere, as `Headers` and `Map` do, would have none. */
function isPlain(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !(Symbol.iterator in value);
}

/** @throws {ConfigValidationError} without the value, which may be a secret */
export function validateHeaderValues(what: string, headers: RequestHeaders | undefined): void {
  for (const [name, value = ''] of Object.entries(headers ?? {})) {
    if (/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) continue;
    const received = 'text that no header can have';
    const expected = 'text without line breaks, control characters and characters beyond Latin-1';
    throw new ConfigValidationError(what, [{ field: `headers.${name}`, received, expected }]);
  }
}

const scalars = v.record(
  v.string(),
  v.union([text, v.number(), v.boolean()], 'a string, number or boolean'),
  'an object of strings, numbers and booleans',
);
const bodyText = 'a string, bytes or a stream';
const { filter, key, signal, deadlineMs, attemptTimeoutMs, retries, idempotent, hedge } =
  callOptionsSchema.entries;

export const requestOptionsSchema = v.pipe(
  v.strictObject(
    {
      headers: v.optional(headersSchema),
      searchParams: v.optional(
        v.union(
          [v.instance(URLSearchParams), scalars],
          'URLSearchParams or an object of strings, numbers and booleans',
        ),
      ),
      json: v.optional(v.unknown()),
      form: v.optional(scalars),
      body: v.optional(v.union([text, v.instance(Uint8Array), v.instance(Readable)], bodyText)),
      throwHttpErrors: v.optional(v.boolean('true or false')),
      filter,
      key,
      signal,
      deadlineMs,
      attemptTimeoutMs,
      retries,
      idempotent,
      hedge,
    },
    'an object',
  ),
  v.check(
    ({ json, form, body }) => [json, form, body].filter((given) => given !== undefined).length <= 1,
    'only one of json, form and body',
  ),
);
