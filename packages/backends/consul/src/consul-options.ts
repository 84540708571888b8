import {
  ConfigValidationError,
  durationOption,
  followOptions,
  tlsOptions,
  validate,
  type Clock,
  type DiscoveryLogger,
  type Rng,
  type TlsOptions,
} from '@sd/core';
import * as v from 'valibot';

export interface ConsulBackendOptions {
  /** The agent: `http://…`, or `https://…` for TLS, with a path if a proxy wants one. Default: `http://127.0.0.1:8500`. */
  readonly url?: string | undefined;
  /**
   * The ACL token, or how to get it. A function is asked when a token is first needed, and again whenever Consul
   * refuses the one it gave. Default: none.
   */
  readonly token?: string | (() => string | Promise<string>) | undefined;
  readonly tls?: TlsOptions | undefined;
  /** Whose services are read; instances are registered in that of the agent. Default: that of the agent. */
  readonly datacenter?: string | undefined;
  /** Of Consul Enterprise. Default: that of the token. */
  readonly namespace?: string | undefined;
  /** Of Consul Enterprise. Default: that of the agent. */
  readonly partition?: string | undefined;
  /** Instances near this node come first; `_agent` is the node of the agent. Default: no order. */
  readonly near?: string | undefined;
  /** Which instances are read at all, in the filter language of Consul: `Service.Meta.canary != "1"`. Default: all. */
  readonly filter?: string | undefined;
  /**
   * How fresh what is read is. `default` is answered by the leader, `consistent` after it has made sure that it is
   * one, `stale` by any server: that costs least, serves without a leader, and may be a little old. Default: `default`.
   */
  readonly consistency?: 'default' | 'stale' | 'consistent' | undefined;
  /** What keeps instances published. Default: a TTL check that this process renews. */
  readonly check?: ConsulCheck | undefined;
  /** How long an instance is critical until Consul forgets it, in milliseconds from 60,000. Default: 60,000. */
  readonly deregisterAfterMs?: number | undefined;
  /** What Consul may take to connect, or to answer, in milliseconds from 50. Default: 3,000. */
  readonly timeoutMs?: number | undefined;
  /**
   * How long a question for changes waits for one, in milliseconds from 100. Whatever went wrong with an index, the
   * change is seen by then. Default: 10,000.
   */
  readonly waitMs?: number | undefined;
  /**
   * How often services are read that are watched beyond `maxBlockingQueries`, in milliseconds from 100. Default: 10,000.
   */
  readonly pollMs?: number | undefined;
  /**
   * How many services are watched by a blocking query, and so a connection, of their own; the others share one. All
   * processes of a host share the 200 connections that an agent allows to an address. Default: 16.
   */
  readonly maxBlockingQueries?: number | undefined;
  /** Times renewals, polls and limits; what expires when is decided by the clock of Consul. Default: the system's. */
  readonly clock?: Clock | undefined;
  readonly rng?: Rng | undefined;
  /** Told of malformed entries and of renewals that fail. Default: the global logger. */
  readonly logger?: DiscoveryLogger | undefined;
}

/** Checks other than `ttl` are made by the agent, of each instance; `ttl` of `register()` then only times how soon a loss is noticed. */
export type ConsulCheck =
  | { readonly kind: 'ttl' }
  | (AgentCheck & {
      /** `GET` of this path; 2xx is passing, 429 a warning. */
      readonly kind: 'http';
      readonly path: string;
    })
  | (AgentCheck & { readonly kind: 'tcp' })
  | (AgentCheck & {
      /** The standard health protocol of gRPC; over TLS if the protocol of the instance is `grpcs` or `https`. */
      readonly kind: 'grpc';
      /** Asked about. Default: the server as a whole. */
      readonly service?: string | undefined;
    });

export interface AgentCheck {
  /** Milliseconds from 100. Default: 10,000. */
  readonly intervalMs?: number | undefined;
  /** Milliseconds from 50. Default: 5,000. */
  readonly timeoutMs?: number | undefined;
  /** Whether a certificate that is not valid will do. Default: false. */
  readonly tlsSkipVerify?: boolean | undefined;
}

/** @throws {ConfigValidationError} naming each wrong option */
export function validateOptions(options: ConsulBackendOptions): void {
  if (/[?@]/.test(String(Reflect.get(Object(options), 'url') ?? ''))) {
    // It may well be a secret, which must not be repeated.
    const issue = { field: 'url', received: 'a URL with a user or a query', expected: urlText };
    throw new ConfigValidationError('ConsulBackend', [issue]);
  }
  validate('ConsulBackend', schema, options);
}

const urlText =
  'a URL like "http://127.0.0.1:8500" or "https://…", without a user, query or slash at its end';
const tokenText = 'an ACL token, or a function that gets one';
const nameText = 'a name of letters, digits, "-" and "_"';
const pathText = 'a path like "/health"';
const countText = 'a whole number from 1 to 150';
const text = (expected: string) => v.optional(v.pipe(v.string(expected), v.nonEmpty(expected)));
const name = v.optional(v.pipe(v.string(nameText), v.regex(/^[A-Za-z0-9_-]{1,128}$/, nameText)));
const flag = v.optional(v.boolean('true or false'));
const timing = { intervalMs: durationOption(100), timeoutMs: durationOption(50), tlsSkipVerify: flag };
const path = v.pipe(v.string(pathText), v.regex(/^\/[!-~]*$/, pathText));

const check = v.variant(
  'kind',
  [
    v.strictObject({ kind: v.literal('ttl') }),
    v.strictObject({ kind: v.literal('http'), path, ...timing }),
    v.strictObject({ kind: v.literal('tcp'), ...timing }),
    v.strictObject({ kind: v.literal('grpc'), service: text('a name of a gRPC service'), ...timing }),
  ],
  'a check of kind "ttl", "http", "tcp" or "grpc"',
);

const { clock, rng, logger } = followOptions.entries;
const isToken = (value: unknown): boolean =>
  typeof value === 'function' || (typeof value === 'string' && /^[!-~]{1,512}$/.test(value));

const schema = v.strictObject(
  {
    url: v.optional(v.pipe(v.string(urlText), v.check(isConsulUrl, urlText))),
    token: v.optional(v.custom<string>(isToken, tokenText)),
    tls: v.optional(tlsOptions),
    datacenter: name,
    namespace: name,
    partition: name,
    near: text('the name of a node, or "_agent"'),
    filter: text('an expression like \'Service.Meta.canary != "1"\''),
    consistency: v.optional(
      v.picklist(['default', 'stale', 'consistent'], '"default", "stale" or "consistent"'),
    ),
    check: v.optional(check),
    deregisterAfterMs: durationOption(60_000, 2_592_000_000),
    timeoutMs: durationOption(50),
    waitMs: durationOption(100, 600_000),
    pollMs: durationOption(100),
    maxBlockingQueries: v.optional(
      v.pipe(v.number(countText), v.integer(countText), v.minValue(1, countText), v.maxValue(150, countText)),
    ),
    clock,
    rng,
    logger,
  },
  'an object',
);

function isConsulUrl(url: string): boolean {
  if (!/^https?:\/\/[^?#\s]+$/.test(url) || !URL.canParse(url)) return false;
  const { username, password, pathname } = new URL(url);
  return username === '' && password === '' && (pathname === '/' || !pathname.endsWith('/'));
}
