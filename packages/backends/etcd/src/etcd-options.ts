import {
  durationOption,
  followOptions,
  validate,
  type Clock,
  type DiscoveryLogger,
  type Rng,
  tlsOptions,
  type TlsOptions,
} from '@sd/core';
import * as v from 'valibot';
import { codecNames, codecs, type CodecName, type EtcdCodec } from './codec.ts';

export interface EtcdBackendOptions {
  /**
   * One URL or several, all `http:` or all `https:`. One of them is used at a time; when it does not answer, the next.
   * Default: `http://127.0.0.1:2379`.
   */
  readonly endpoints?: string | readonly string[] | undefined;
  /** Of a user of etcd, with `password`. Default: none. */
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** For `https:` endpoints. */
  readonly tls?: TlsOptions | undefined;
  /**
   * Begins each key; processes that shall find each other use the same. `<prefix><service>/<id>` is the key of an
   * instance. Default: that of the codec, `/sd/`.
   */
  readonly prefix?: string | undefined;
  /**
   * How instances are written down: `sd` (all they are, as JSON), as go-kratos or go-zero (to be read only) do, or a way
   * of your own. Default: `sd`.
   */
  readonly codec?: CodecName | EtcdCodec | undefined;
  /** What etcd may take to connect or to answer, in milliseconds from 50. Default: 3,000. */
  readonly timeoutMs?: number | undefined;
  /** Times renewals, probes and limits; what expires when is decided by etcd. Default: the system's. */
  readonly clock?: Clock | undefined;
  readonly rng?: Rng | undefined;
  /** Told of malformed entries and of renewals that fail. Default: the global logger. */
  readonly logger?: DiscoveryLogger | undefined;
}

/** Where a name that a user knows becomes what it stands for. */
export interface EtcdSettings {
  readonly endpoints: readonly string[];
  readonly codec: EtcdCodec;
  readonly prefix: string;
  readonly timeoutMs: number;
}

/** @throws {ConfigValidationError} naming each wrong option */
export function settingsOf(options: EtcdBackendOptions): EtcdSettings {
  validate('EtcdBackend', schema, options);
  const { endpoints = 'http://127.0.0.1:2379', codec: named = 'sd', timeoutMs = 3_000 } = options;
  const codec = typeof named === 'string' ? codecs[named] : named;
  return {
    endpoints: typeof endpoints === 'string' ? [endpoints] : endpoints,
    codec,
    prefix: options.prefix ?? codec.prefix,
    timeoutMs,
  };
}

const endpointText = 'a URL like "http://localhost:2379", without user, path or query';
const endpoint = v.pipe(v.string(endpointText), v.check(isEndpoint, endpointText));
const endpointsText = 'URLs, at least one, all with http: or all with https:';
const endpoints = v.union(
  [
    endpoint,
    v.pipe(
      v.array(endpoint, endpointsText),
      v.minLength(1, endpointsText),
      v.check((urls) => new Set(urls.map((url) => url.split(':')[0])).size === 1, endpointsText),
    ),
  ],
  ({ issues }) => issues?.at(-1)?.message ?? endpointText,
);
const userText = 'a user name, together with a password';
const codecText = `one of ${codecNames.map((name) => `"${name}"`).join(', ')}, or an object with name, prefix and parse()`;
const prefixText = 'a prefix of at most 128 visible ASCII characters that is empty or ends with "/"';
const prefix = v.pipe(v.string(prefixText), v.regex(/^([!-~]{0,127}\/)?$/, prefixText));
const { clock, rng, logger } = followOptions.entries;

const schema = v.pipe(
  v.strictObject(
    {
      endpoints: v.optional(endpoints),
      username: v.optional(v.pipe(v.string(userText), v.nonEmpty(userText))),
      password: v.optional(v.custom<string>((value) => typeof value === 'string', 'a string')),
      tls: v.optional(tlsOptions),
      prefix: v.optional(prefix),
      codec: v.optional(v.custom<CodecName | EtcdCodec>(isCodec, codecText)),
      timeoutMs: durationOption(50),
      clock,
      rng,
      logger,
    },
    'an object',
  ),
  v.forward(
    v.check(({ username, password }) => (username === undefined) === (password === undefined), userText),
    ['username'],
  ),
  v.forward(
    v.check(
      ({ tls, endpoints = '' }) =>
        tls === undefined || [endpoints].flat().every((url) => url.startsWith('https:')),
      'endpoints with https: for TLS',
    ),
    ['endpoints'],
  ),
);

function isEndpoint(text: string): boolean {
  return /^https?:\/\/(\[[\da-fA-F:.]+\]|[\w.-]+)(:\d{1,5})?\/?$/.test(text) && URL.canParse(text);
}

function isCodec(value: unknown): boolean {
  if (typeof value === 'string') return codecNames.some((name) => name === value);
  const {
    name,
    prefix: own,
    parse,
    encode,
  }: Partial<Record<keyof EtcdCodec, unknown>> = Object(value) as object;
  return (
    typeof name === 'string' &&
    v.is(prefix, own) &&
    typeof parse === 'function' &&
    (encode === undefined || typeof encode === 'function')
  );
}
