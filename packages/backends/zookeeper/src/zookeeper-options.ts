import {
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
import type { CreatorAcl } from './acl.ts';
import type { InstanceCodec } from './codec.ts';
import { isPath, parseConnectionString } from './connection-string.ts';
import type { Acl } from './protocol/requests.ts';

export interface ZooKeeperBackendOptions {
  /** `host1:2181,host2:2181/chroot`: the servers of one ensemble, and the node below which all happens. Default: `127.0.0.1:2181`. */
  readonly connectionString?: string | undefined;
  /** The node below which services are. Default: `/sd/services`; with the codec `curator`, `/services`, as in Spring Cloud. */
  readonly root?: string | undefined;
  /**
   * What is in a node: `sd`, all fields as JSON; `curator`, the `ServiceInstance` of Curator as Spring Cloud ZooKeeper
   * writes it; or a codec of yours. Default: `sd`.
   */
  readonly codec?: 'sd' | 'curator' | InstanceCodec | undefined;
  /** Who we are: `{ scheme: 'digest', credentials: 'user:password' }`. Default: nobody. */
  readonly auth?: { readonly scheme: string; readonly credentials: string } | undefined;
  /** Who may do what with the nodes that we create. Default: `creator-world-read` with `auth`, else `open`. */
  readonly acl?: CreatorAcl | readonly Acl[] | undefined;
  /** `true`, or whom to trust and who we are. Default: no TLS. */
  readonly tls?: boolean | TlsOptions | undefined;
  /**
   * What ZooKeeper may take to connect (at most half the `ttl`) or to answer, and how long a connection may say nothing, in
   * milliseconds from 50. Default: 3,000.
   */
  readonly timeoutMs?: number | undefined;
  /** Times pings, pauses and limits; when a session expires is decided by ZooKeeper. Default: the system's. */
  readonly clock?: Clock | undefined;
  readonly rng?: Rng | undefined;
  /** Told of malformed entries and of lost connections. Default: the global logger. */
  readonly logger?: DiscoveryLogger | undefined;
}

/** @throws {ConfigValidationError} naming each wrong option */
export function validateOptions(options: ZooKeeperBackendOptions): void {
  validate('ZooKeeperBackend', schema, options);
}

const connectionText = 'servers like "host1:2181,host2:2181", with "/chroot" or without';
const rootText = 'a path like "/services": visible ASCII, no "/" at its end, not "/zookeeper", at most 256';
const codecText = '"sd", "curator" or an object with encode() and decode()';
const schemeText = 'a scheme like "digest"';
const credentialsText = 'credentials like "user:password"';
const aclText = '"open", "creator", "creator-world-read" or a list of { permissions, scheme, id }';
const bitsText = 'a sum of the permissions 1, 2, 4, 8 and 16';

const isCodec = (value: unknown): boolean =>
  value === 'sd' ||
  value === 'curator' ||
  ['encode', 'decode'].every((name) => typeof Reflect.get(Object(value), name) === 'function');

const aclEntry = v.strictObject(
  {
    permissions: v.pipe(
      v.number(bitsText),
      v.integer(bitsText),
      v.minValue(1, bitsText),
      v.maxValue(31, bitsText),
    ),
    scheme: v.pipe(v.string(schemeText), v.nonEmpty(schemeText)),
    id: v.string('an id like "anyone"'),
  },
  aclText,
);

const aclList = v.pipe(v.array(aclEntry, aclText), v.minLength(1, aclText));
const aclName = v.picklist(['open', 'creator', 'creator-world-read'], aclText);

const { clock, rng, logger } = followOptions.entries;

const schema = v.pipe(
  v.strictObject(
    {
      connectionString: v.optional(
        v.pipe(
          v.string(connectionText),
          v.check((text) => parseConnectionString(text) !== undefined, connectionText),
        ),
      ),
      root: v.optional(v.pipe(v.string(rootText), v.check(isPath, rootText))),
      codec: v.optional(v.custom<unknown>(isCodec, codecText)),
      auth: v.optional(
        v.strictObject(
          {
            scheme: v.pipe(v.string(schemeText), v.nonEmpty(schemeText)),
            credentials: v.pipe(
              v.string(credentialsText),
              // Its value is a secret: what is wrong with it is said without it.
              v.nonEmpty(credentialsText),
            ),
          },
          'an object with scheme and credentials',
        ),
      ),
      acl: v.optional(
        // By what it is, so that what is wrong with an entry is said of the entry: the list may hold hashes of passwords.
        v.lazy((given) => (Array.isArray(given) ? aclList : aclName)),
      ),
      tls: v.optional(v.union([v.boolean(), tlsOptions], 'a boolean, or ca, cert, key and servername')),
      timeoutMs: durationOption(50),
      clock,
      rng,
      logger,
    },
    'an object',
  ),
  v.check(
    ({ acl, auth, tls }) =>
      typeof acl !== 'string' || acl === 'open' || auth !== undefined || typeof tls === 'object',
    'auth, or tls with a certificate, for an acl that names the creator',
  ),
  v.check(
    ({ auth }) => auth?.scheme !== 'digest' || auth.credentials.includes(':'),
    'credentials of the scheme "digest" as "user:password"',
  ),
);
