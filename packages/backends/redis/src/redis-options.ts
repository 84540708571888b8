import {
  durationOption,
  followOptions,
  validate,
  type Clock,
  type DiscoveryLogger,
  type Rng,
} from '@sd/core';
import type { Cluster, ClusterNode, ClusterOptions, Redis, RedisOptions } from 'ioredis';
import * as v from 'valibot';

/** Which Redis, and how. One of these; by default `redis://127.0.0.1:6379`. */
export type RedisConnectionOptions =
  | {
      /** `redis://user:password@host:6379/0`, or `rediss://…` for TLS. Further settings go into `redis`. */
      readonly url?: string | undefined;
      /** Options of ioredis: TLS, ACL user, Sentinel (`sentinels` and `name`) … */
      readonly redis?: RedisOptions | undefined;
      readonly cluster?: never;
      readonly client?: never;
    }
  | {
      /** A Redis Cluster: some of its nodes, and options of ioredis. */
      readonly cluster: {
        readonly nodes: readonly ClusterNode[];
        readonly options?: ClusterOptions | undefined;
      };
      readonly url?: never;
      readonly redis?: never;
      readonly client?: never;
    }
  | {
      /** A client of yours, of ioredis 5.11 or 6: its settings are used for connections of our own. It stays yours. */
      readonly client: Redis | Cluster;
      readonly url?: never;
      readonly redis?: never;
      readonly cluster?: never;
    };

export type RedisBackendOptions = RedisConnectionOptions & {
  /** Begins each key and channel. Processes that shall find each other use the same. Default: `sd:`. */
  readonly prefix?: string | undefined;
  /** What Redis may take to connect, or to answer, in milliseconds from 50. Default: 3,000. */
  readonly timeoutMs?: number | undefined;
  /**
   * How often a watched service is compared with Redis, in milliseconds from 100: a notification that was lost is made
   * up for by then. Default: 10,000.
   */
  readonly pollMs?: number | undefined;
  /** Times renewals, polls and limits; what expires when is decided by the clock of Redis. Default: the system's. */
  readonly clock?: Clock | undefined;
  readonly rng?: Rng | undefined;
  /** Told of malformed entries and of renewals that fail. Default: the global logger. */
  readonly logger?: DiscoveryLogger | undefined;
};

/** @throws {ConfigValidationError} naming each wrong option */
export function validateOptions(options: RedisBackendOptions): void {
  validate('RedisBackend', schema, options);
}

const urlText = 'a URL like "redis://localhost:6379/0" or "rediss://…"';
const redisUrl = v.pipe(v.string(urlText), v.check(isRedisUrl, urlText));
const prefixText = 'a prefix of 1 to 128 visible ASCII characters without "{" and "}"';
const clientText = 'a client of ioredis without a keyPrefix: use the prefix of RedisBackend';
const nodesText = 'a list of at least one node: { host, port } or a URL';

/** Keys that ioredis prefixes are not those that we subscribe to. */
const hasKeyPrefix = (options: unknown): boolean => (Reflect.get(Object(options), 'keyPrefix') ?? '') !== '';
const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null;

const ioredisOptions = v.optional(
  v.custom<object>(
    (value) => isObject(value) && !hasKeyPrefix(value),
    'an object of ioredis options without a keyPrefix: use the prefix of RedisBackend',
  ),
);

function isClient(value: unknown): boolean {
  // Other clients can be duplicated too.
  const isIoredis = ['duplicate', 'defineCommand'].every(
    (method) => typeof Reflect.get(Object(value), method) === 'function',
  );
  return isIoredis && !hasKeyPrefix(Reflect.get(Object(value), 'options'));
}

const { clock, rng, logger } = followOptions.entries;

const schema = v.pipe(
  v.strictObject(
    {
      url: v.optional(redisUrl),
      redis: ioredisOptions,
      cluster: v.optional(
        v.strictObject(
          {
            nodes: v.pipe(v.array(v.any(), nodesText), v.minLength(1, nodesText)),
            options: ioredisOptions,
          },
          'an object with nodes',
        ),
      ),
      client: v.optional(v.custom<object>(isClient, clientText)),
      prefix: v.optional(v.pipe(v.string(prefixText), v.regex(/^[!-z|~]{1,128}$/, prefixText))),
      timeoutMs: durationOption(50),
      pollMs: durationOption(100),
      clock,
      rng,
      logger,
    },
    'an object',
  ),
  v.check(
    ({ url, redis, cluster, client }) =>
      [url ?? redis, cluster, client].filter((each) => each !== undefined).length <= 1,
    'one of url (with redis), cluster and client',
  ),
);

function isRedisUrl(text: string): boolean {
  // As it is written: ioredis takes `REDISS://` for one without TLS, and settings from a query that are ours.
  if (!/^rediss?:\/\/[^?#\s]+$/.test(text) || !URL.canParse(text)) return false;
  const { hostname, pathname, username, password } = new URL(text);
  return hostname !== '' && /^(\/\d*)?$/.test(pathname) && isDecodable(username) && isDecodable(password);
}

function isDecodable(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}
