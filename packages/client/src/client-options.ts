import { callOptionsSchema, DiscoveryClient } from '@sd/discovery';
import * as v from 'valibot';
import { isAbsolute } from './http-request.ts';
import type { HttpTransport } from './http-transport.ts';
import { headerName, headersSchema } from './request-options.ts';
import type { TransportFactory } from './service-client.ts';

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
