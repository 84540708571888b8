import { validateHeaderName, validateHeaderValue } from 'node:http';
import * as v from 'valibot';
import { path, port, wholeNumber } from '../check-option-schemas.ts';
import { tlsSchema, type TlsOptions } from './tls-options.ts';

export interface HttpCheckOptions {
  /** Encoded as in a URL. Default: `/health`. */
  readonly path?: string | undefined;
  /** In capitals. Default: `GET`. */
  readonly method?: string | undefined;
  /** What healthy targets answer. Default: any 2xx, which is `[[200, 299]]`. */
  readonly expectedStatus?: readonly StatusRange[] | undefined;
  /** What degraded targets answer; goes before `expectedStatus`. Default: none. */
  readonly degradedStatus?: readonly StatusRange[] | undefined;
  /** What must be in the body of an expected answer, anywhere. Default: the body is not read. */
  readonly expectedBody?: string | RegExp | undefined;
  /** So much of the body is searched, and no more is read. Default: 65,536. */
  readonly maxBodyBytes?: number | undefined;
  /** `host` replaces the target's address in the request, and as the name that its certificate must be for. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  /** Default: the target's own port. */
  readonly port?: number | undefined;
  /** Default: the target's own protocol. */
  readonly protocol?: 'http' | 'https' | undefined;
  readonly tls?: TlsOptions | undefined;
}

/** One status, or all from the first to the last of a pair. */
export type StatusRange = number | readonly [from: number, to: number];

const statusText = 'a status from 100 to 599, or a pair of them such as [200, 299]';
const statuses = v.pipe(
  v.array(v.custom<StatusRange>(isStatusRange, statusText), 'an array of statuses and pairs of them'),
  v.nonEmpty('at least one status'),
);
const bodyText = 'a string that is not empty, or a RegExp';
const headerText = 'a header value without control characters';

export const httpCheckSchema = v.pipe(
  v.strictObject(
    {
      path: v.optional(path),
      method: v.optional(
        v.pipe(v.string('a method'), v.regex(/^(?!CONNECT$)[A-Z]{1,32}$/, 'a method such as "GET"')),
      ),
      expectedStatus: v.optional(statuses),
      degradedStatus: v.optional(statuses),
      expectedBody: v.optional(
        v.union([v.pipe(v.string(bodyText), v.nonEmpty(bodyText)), v.instance(RegExp, bodyText)], bodyText),
      ),
      maxBodyBytes: v.optional(wholeNumber(1, 16_777_216, 'bytes')),
      headers: v.optional(
        v.record(
          v.pipe(v.string(), v.check(passes(validateHeaderName), 'the name of a header')),
          v.pipe(
            v.string(headerText),
            v.check(
              passes((value) => validateHeaderValue('header', value)),
              headerText,
            ),
          ),
          'an object of strings',
        ),
      ),
      port: v.optional(port),
      protocol: v.optional(v.picklist(['http', 'https'], '"http" or "https"')),
      tls: v.optional(tlsSchema),
    },
    'an object',
  ),
  v.forward(
    v.check(
      ({ method, expectedBody }) => method !== 'HEAD' || expectedBody === undefined,
      'a method whose answers have a body',
    ),
    ['method'],
  ),
);

function isStatusRange(value: unknown): boolean {
  if (!Array.isArray(value)) return isStatus(value);
  return value.length === 2 && value.every(isStatus) && Number(value[0]) <= Number(value[1]);
}

function isStatus(value: unknown): boolean {
  return Number.isInteger(value) && Number(value) >= 100 && Number(value) <= 599;
}

function passes(check: (value: string) => void): (value: string) => boolean {
  return (value) => {
    try {
      check(value);
      return true;
    } catch {
      return false;
    }
  };
}
