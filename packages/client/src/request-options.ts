import type { CallOptions } from '@sd/discovery';
import { Readable } from 'node:stream';
import * as v from 'valibot';

/** Lower-case or not; undefined takes a default header away. */
export type RequestHeaders = Readonly<Record<string, string | undefined>>;

export interface RequestOptions extends Pick<
  CallOptions,
  'filter' | 'key' | 'signal' | 'deadlineMs' | 'attemptTimeoutMs' | 'retries'
> {
  readonly headers?: RequestHeaders | undefined;
  readonly searchParams?: URLSearchParams | Readonly<Record<string, string | number | boolean>> | undefined;
  /** Sent as JSON, with the content type. */
  readonly json?: unknown;
  /** Sent as a form, with the content type. */
  readonly form?: Readonly<Record<string, string | number | boolean>> | undefined;
  /** Sent as it is. A stream can be sent only once, so such a call is never repeated. */
  readonly body?: string | Uint8Array | Readable | undefined;
  /**
   * Whether sending it twice is as good as once, e.g. because it carries an idempotency key.
   * Default: by the method (GET, HEAD, OPTIONS, PUT, DELETE: yes; POST, PATCH: no; RFC 9110, 9.2.2).
   */
  readonly idempotent?: boolean | undefined;
  /** Reject with an `HttpStatusError` when the answer's status is 400 or above. Default: true. */
  readonly throwHttpErrors?: boolean | undefined;
}

export function isIdempotent(method: string): boolean {
  return ['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'TRACE'].includes(method);
}

const text = v.string('a string');
/** For requests and clients alike. */
export const headersSchema = v.record(v.string(), v.optional(text), 'an object of strings');
const scalars = v.record(
  v.string(),
  v.union([text, v.number(), v.boolean()], 'a string, number or boolean'),
  'an object of strings, numbers and booleans',
);
const bodyText = 'a string, bytes or a stream';

/** What `call` does not check. */
export const requestOptionsSchema = v.pipe(
  v.looseObject(
    {
      headers: v.optional(headersSchema),
      searchParams: v.optional(
        v.union([v.instance(URLSearchParams), scalars], 'URLSearchParams or an object'),
      ),
      form: v.optional(scalars),
      body: v.optional(v.union([text, v.instance(Uint8Array), v.instance(Readable)], bodyText)),
      throwHttpErrors: v.optional(v.boolean('true or false')),
    },
    'an object',
  ),
  v.check(
    ({ json, form, body }) => [json, form, body].filter((given) => given !== undefined).length <= 1,
    'only one of json, form and body',
  ),
);
