import { callOptionsSchema, DiscoveryClient, type CallOptions } from '@sd/discovery';
import type { HttpsOptions } from 'got';
import * as v from 'valibot';
import { isAbsolute } from './http-request.ts';
import type { HttpTransport } from './http-transport.ts';
import { headerName, headersSchema, type RequestHeaders } from './request-options.ts';

export interface ServiceClientOptions extends Pick<
  CallOptions,
  'strategy' | 'filter' | 'deadlineMs' | 'attemptTimeoutMs' | 'retries' | 'hedge'
> {
  readonly service: string;
  /** Finds the instances. Whoever made it closes it. */
  readonly discovery: DiscoveryClient;
  /** Put before each path, e.g. `/api/v1`. */
  readonly basePath?: string | undefined;
  /** Sent with each request. */
  readonly headers?: RequestHeaders | undefined;
  /**
   * Name of the header that tells the instance how many milliseconds the caller will wait; `false`: none is sent. Read it
   * there with `deadlineOf`. Default: `sd-timeout-ms`.
   */
  readonly deadlineHeader?: string | false | undefined;
  /** For looking up the host, for connecting, and for TLS: for each of them, in milliseconds. Default: 1,000. */
  readonly connectTimeoutMs?: number | undefined;
  /** Certificates and checks for instances with protocol `https`, as got takes them. */
  readonly https?: HttpsOptions | undefined;
  /**
   * What sends the requests; the two options above are its own, then. Whoever made it closes it, and it may serve several
   * clients. Of a function the client gets one of its own, and closes it. Default: got.
   */
  readonly transport?: HttpTransport | TransportFactory | undefined;
}

/** Makes a transport for one client: `(discovery) => undiciTransport({ discovery })`. */
export type TransportFactory = (discovery: DiscoveryClient) => HttpTransport;

/** What clients of several services may have in common. */
export type ServiceClientDefaults = Omit<ServiceClientOptions, 'service' | 'discovery'>;

const { strategy, filter, deadlineMs, attemptTimeoutMs, retries, hedge } = callOptionsSchema.entries;
const pathText = 'a path such as "/api/v1"';

const options = v.strictObject(
  {
    service: v.unknown(), // checked as a service name
    discovery: v.instance(DiscoveryClient, 'a DiscoveryClient'),
    basePath: v.optional(
      v.pipe(
        v.string(pathText),
        v.regex(/^[^?#\s\\]*$/, pathText),
        v.check((path) => !isAbsolute(path), pathText),
      ),
    ),
    headers: v.optional(headersSchema),
    deadlineHeader: v.optional(v.union([v.literal(false), headerName], 'the name of a header, or false')),
    connectTimeoutMs: deadlineMs,
    https: v.optional(v.looseObject({}, "an object of got's https options")),
    transport: v.optional(
      v.custom<HttpTransport | TransportFactory>(
        isTransport,
        'a transport, e.g. undiciTransport(), or a function that makes one',
      ),
    ),
    strategy,
    filter,
    deadlineMs,
    attemptTimeoutMs,
    retries,
    hedge,
  },
  'an object with service and discovery',
);

/** These would be overlooked. */
export const clientOptionsSchema = v.pipe(
  options,
  v.forward(
    v.check(({ transport, https }) => transport === undefined || https === undefined, "the transport's own"),
    ['https'],
  ),
  v.forward(
    v.check(
      ({ transport, connectTimeoutMs }) => transport === undefined || connectTimeoutMs === undefined,
      "the transport's own",
    ),
    ['connectTimeoutMs'],
  ),
);

function isTransport(value: unknown): boolean {
  return typeof value === 'function' || isMade(value);
}

function isMade(value: unknown): boolean {
  return typeof value === 'object' && value !== null && 'exchange' in value && 'open' in value;
}

/** What a function that was given as transport must return. */
export const madeTransportSchema = v.object({
  transport: v.custom<HttpTransport>(isMade, 'a function that returns a transport: exchange(), open()'),
});

/** What clients may have in common: those who make several take it from their users. */
export const clientDefaultsSchema = v.omit(options, ['service', 'discovery']);
