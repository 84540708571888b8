import { callOptionsSchema, DiscoveryClient, type CallOptions } from '@sd/discovery';
import { compileServiceFilter, validate, type ServiceInstance } from '@sd/core';
import type { Dispatcher } from 'undici';
import * as v from 'valibot';

/** The service that the origin of a URL stands for; undefined: it is a host like others, and passed through. */
export type ServiceNaming = (origin: URL) => string | undefined;

export interface DiscoverOptions extends Pick<
  CallOptions,
  'strategy' | 'filter' | 'deadlineMs' | 'attemptTimeoutMs' | 'retries' | 'hedge'
> {
  /** Finds the instances. Whoever made it closes it. */
  readonly discovery: DiscoveryClient;
  /**
   * Which hosts are services: their names, or a function. All others are passed through.
   * Default: names without a dot and without a port, such as `http://orders/`, but `localhost`.
   */
  readonly services?: readonly string[] | ServiceNaming | undefined;
  /** What must stick together, for strategies that hash. Default: nothing. */
  readonly key?: ((request: Dispatcher.DispatchOptions) => string | undefined) | undefined;
  /**
   * Name of the header that tells the instance how many milliseconds the caller will wait for the head of its answer;
   * `false`: none is sent. Default: `sd-timeout-ms`.
   */
  readonly deadlineHeader?: string | false | undefined;
}

/** @throws {ConfigValidationError} naming each wrong option */
export function checkDiscoverOptions(what: string, options: DiscoverOptions): void {
  validate(what, discoverOptionsSchema, options);
  if (options.strategy !== undefined) options.discovery.loadBalancers.get(options.strategy);
  if (options.filter !== undefined) compileServiceFilter(options.filter);
}

export function namingOf(services: DiscoverOptions['services'] = byLabel): ServiceNaming {
  if (typeof services === 'function') return services;
  const names = new Map(services.map((name) => [name.toLowerCase(), name]));
  return ({ hostname, port }) => (port === '' ? names.get(hostname) : undefined);
}

/** One label of DNS is the name of no host of the internet; with a port, a certain process is meant. */
const byLabel: ServiceNaming = ({ hostname, port }) =>
  port === '' && hostname !== 'localhost' && /^[a-z\d][a-z\d_-]*$/.test(hostname) ? hostname : undefined;

/** The name that the certificates of a service are checked for. */
export type ServernameOf = (instance: ServiceInstance) => string;

const { strategy, filter, deadlineMs, attemptTimeoutMs, retries, hedge } = callOptionsSchema.entries;
const servicesText = 'names of services, or a function (origin) => name';
const headerText = 'the name of a header, or false';

export const discoverOptionEntries = {
  discovery: v.instance(DiscoveryClient, 'a DiscoveryClient'),
  services: v.optional(
    v.union(
      [v.array(v.pipe(v.string(servicesText), v.minLength(1, servicesText))), v.function()],
      servicesText,
    ),
  ),
  key: v.optional(v.function('a function (request) => key')),
  deadlineHeader: v.optional(
    v.union(
      [v.literal(false), v.pipe(v.string(), v.regex(/^[!#$%&'*+.^_`|~\dA-Za-z-]+$/, headerText))],
      headerText,
    ),
  ),
  strategy,
  filter,
  deadlineMs,
  attemptTimeoutMs,
  retries,
  hedge,
};

const discoverOptionsSchema = v.strictObject(discoverOptionEntries, 'an object with discovery');

const durationText = 'milliseconds, more than 0';

export const poolOptionEntries = {
  connectTimeoutMs: v.optional(v.pipe(v.number(durationText), v.minValue(1, durationText))),
  servername: v.optional(v.function('a function (instance) => name')),
  pool: v.optional(v.looseObject({}, "an object of undici's Pool options")),
};
