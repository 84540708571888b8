import { isIP } from 'node:net';
import * as v from 'valibot';
import {
  durationOption,
  followOptions,
  isServiceName,
  validate,
  type Clock,
  type DiscoveryLogger,
  type Rng,
} from '@sd/core';
import { parseServer } from './dns-servers.ts';

export interface DnsBackendOptions {
  /**
   * The DNS name of a service: a text with `{service}` in it, `{service}.service.consul` or
   * `_http._tcp.{service}.default.svc.cluster.local`, or a function. With a dot at its end only this name is asked for,
   * otherwise `search` and `ndots` apply.
   */
  readonly name: string | ((service: string) => string);
  /** `SRV`: records with host and port. `A`: addresses, of IPv4 and IPv6, and `port`. Default: `SRV`. */
  readonly type?: 'SRV' | 'A' | undefined;
  /** The port of every instance. Needed with `A`, and refused with `SRV`. */
  readonly port?: number | undefined;
  /** URL scheme of every instance. Default: `http`. */
  readonly protocol?: string | undefined;
  /**
   * What the host of an instance is: an address of the SRV record's target, or the name of the target, which the system
   * resolves for each connection, and which certificates are for. Default: `addresses`.
   */
  readonly targets?: 'addresses' | 'names' | undefined;
  /** IPv4, IPv6, or both, each address an instance. Default: those of IPv4, and those of IPv6 where there are none. */
  readonly family?: 4 | 6 | 'both' | undefined;
  /** Shortest time between two questions for a watched service, in milliseconds. Default: 1,000. */
  readonly minIntervalMs?: number | undefined;
  /** Longest time between them, in milliseconds, give or take a quarter. Default: 30,000. */
  readonly maxIntervalMs?: number | undefined;
  /**
   * An instance is gone when so many answers in a row lack it; an empty answer counts at once. More than 1 is for servers
   * whose answers are never complete. Default: 1.
   */
  readonly misses?: number | undefined;
  /** What a server may take to answer, in milliseconds; the next one is asked then. Default: 3,000. */
  readonly timeoutMs?: number | undefined;
  /** Addresses of DNS servers, asked in this order: `10.0.0.2`, `10.0.0.2:8600`, `[::1]:53`. Default: the system's. */
  readonly servers?: readonly string[] | undefined;
  /** `tcp` for servers that leave out instances over UDP without saying so, as Consul does. Default: `udp`. */
  readonly transport?: 'udp' | 'tcp' | undefined;
  /** Domains that are tried after a name. Default: those of `/etc/resolv.conf`. */
  readonly search?: readonly string[] | undefined;
  /** A name with fewer dots is tried with the search domains first. Default: that of `/etc/resolv.conf`, or 1. */
  readonly ndots?: number | undefined;
  /** Resolves instead of us, as `Resolver` of `node:dns/promises` does. Servers, transport and search are its own then. */
  readonly resolver?: DnsResolver | undefined;
  /** Which services `listServices()` asks for, as DNS cannot list them. Default: none, and it rejects. */
  readonly services?: readonly string[] | undefined;
  readonly clock?: Clock | undefined;
  readonly rng?: Rng | undefined;
  /** Told of malformed records. Default: the logger of `setLogger()`. */
  readonly logger?: DiscoveryLogger | undefined;
}

/** What is used of a `Resolver` of `node:dns/promises`. Errors with code `ENOTFOUND` or `ENODATA` mean that there is none. */
export interface DnsResolver {
  resolveSrv(name: string): Promise<readonly SrvAnswer[]>;
  resolve4(name: string, options: { readonly ttl: true }): Promise<readonly AddressAnswer[]>;
  resolve6(name: string, options: { readonly ttl: true }): Promise<readonly AddressAnswer[]>;
}

export interface SrvAnswer {
  readonly name: string;
  readonly port: number;
  readonly priority: number;
  readonly weight: number;
  /** Seconds; Node gives none. */
  readonly ttl?: number | undefined;
}

type AddressAnswer = string | { readonly address: string; readonly ttl?: number | undefined };

/** @throws {ConfigValidationError} naming each wrong option */
export function validateOptions(options: DnsBackendOptions): void {
  validate('DnsBackend', schema, options);
}

const nameText = 'a name with "{service}" in it, or a function (service)';
const portText = 'a whole number from 1 to 65535';
const protocolText = 'a URL scheme such as "http", without ":"';
const missesText = 'a whole number from 1 to 1000';
const serversText = 'IP addresses of servers, such as "10.0.0.2" or "10.0.0.2:8600"';
const searchText = 'domain names';
const ndotsText = 'a whole number from 0 to 15';
const listText = 'names of services';

const whole = (min: number, max: number, text: string) =>
  v.pipe(v.number(text), v.integer(text), v.minValue(min, text), v.maxValue(max, text));
const oneOf = <const T extends readonly (string | number)[]>(values: T) =>
  v.optional(v.picklist(values, `one of ${values.map((value) => JSON.stringify(value)).join(', ')}`));

const { clock, rng, logger } = followOptions.entries;

const schema = v.pipe(
  v.strictObject(
    {
      name: v.custom<string | ((service: string) => string)>(
        (name) => typeof name === 'function' || (typeof name === 'string' && name.includes('{service}')),
        nameText,
      ),
      type: oneOf(['SRV', 'A']),
      port: v.optional(whole(1, 65_535, portText)),
      protocol: v.optional(v.pipe(v.string(protocolText), v.regex(/^[a-z][a-z0-9+.-]{0,31}$/, protocolText))),
      targets: oneOf(['addresses', 'names']),
      family: oneOf([4, 6, 'both']),
      minIntervalMs: durationOption(10),
      maxIntervalMs: durationOption(10),
      misses: v.optional(whole(1, 1_000, missesText)),
      timeoutMs: durationOption(50),
      servers: v.optional(
        v.pipe(
          v.array(
            v.pipe(
              v.string(serversText),
              v.check((text) => isServer(text), serversText),
            ),
            serversText,
          ),
          v.minLength(1, serversText),
        ),
      ),
      transport: oneOf(['udp', 'tcp']),
      search: v.optional(
        v.array(v.pipe(v.string(searchText), v.regex(/^[\w-]+(\.[\w-]+)*\.?$/, searchText)), searchText),
      ),
      ndots: v.optional(whole(0, 15, ndotsText)),
      resolver: v.optional(v.custom<object>(isResolver, 'a Resolver of node:dns/promises')),
      services: v.optional(v.array(v.pipe(v.string(listText), v.check(isServiceName, listText)), listText)),
      clock,
      rng,
      logger,
    },
    'an object',
  ),
  v.forward(
    v.check(
      ({ type, port }) => (type === 'A') === (port !== undefined),
      'a port with type "A", and none with "SRV"',
    ),
    ['port'],
  ),
  v.forward(
    v.check(({ type, targets }) => type !== 'A' || targets === undefined, 'no such option with type "A"'),
    ['targets'],
  ),
  v.forward(
    v.check(
      ({ minIntervalMs = 1_000, maxIntervalMs = 30_000 }) => minIntervalMs <= maxIntervalMs,
      'at least minIntervalMs',
    ),
    ['maxIntervalMs'],
  ),
  v.forward(
    v.check(
      ({ resolver, servers, transport, search, ndots }) =>
        resolver === undefined || (servers ?? transport ?? search ?? ndots) === undefined,
      'none beside servers, transport, search or ndots',
    ),
    ['resolver'],
  ),
);

function isServer(text: string): boolean {
  return isIP(parseServer(text)?.host ?? '') !== 0;
}

function isResolver(value: unknown): boolean {
  const methods = ['resolveSrv', 'resolve4', 'resolve6'];
  return methods.every((method) => typeof Reflect.get(Object(value), method) === 'function');
}
