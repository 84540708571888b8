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

/**
 * Which API server, and as whom. One of these; by default the service account of the pod, and outside of a cluster the
 * kubeconfig that `kubectl` would use.
 */
export type KubernetesAccessOptions =
  | (TlsOptions & {
      /** Of the API server, with a path if it has one: `https://10.0.0.1:6443`, `http://127.0.0.1:8001`. */
      readonly url: string;
      /** A bearer token. */
      readonly token?: string | undefined;
      /** A file with one, read again when it is a minute old and when the server refuses it. */
      readonly tokenFile?: string | undefined;
      readonly inCluster?: never;
      readonly kubeconfig?: never;
    })
  | {
      /** The service account of this pod, by its files in `folder`. */
      readonly inCluster: {
        /** Default: `/var/run/secrets/kubernetes.io/serviceaccount`. */
        readonly folder?: string | undefined;
      };
      readonly url?: never;
      readonly kubeconfig?: never;
    }
  | {
      /** A kubeconfig, read by `@kubernetes/client-node`, which has to be installed. */
      readonly kubeconfig: {
        /** Default: those of `$KUBECONFIG`, else `~/.kube/config`. */
        readonly file?: string | undefined;
        /** Default: its current one. */
        readonly context?: string | undefined;
      };
      readonly url?: never;
      readonly inCluster?: never;
    }
  | { readonly url?: never; readonly inCluster?: never; readonly kubeconfig?: never };

export type KubernetesBackendOptions = KubernetesAccessOptions & {
  /** Whose services are meant. Default: that of the service account or of the context, else `default`. */
  readonly namespace?: string | undefined;
  /**
   * Watches all namespaces: `orders.shop` is the service `orders` of the namespace `shop`, and `orders` is that of
   * `namespace`. It takes the rights of a ClusterRole. Default: false, `namespace` alone.
   */
  readonly allNamespaces?: boolean | undefined;
  /** Narrows what is listed and watched, by the labels of EndpointSlices, which are those of their Services. Default: none. */
  readonly labelSelector?: string | undefined;
  /** Name or number of the port that is called. Default: see the README. */
  readonly port?: string | number | undefined;
  /** The same for single services, by their name. Default: none. */
  readonly ports?: Readonly<Record<string, string | number>> | undefined;
  /** Of pods that have an address of each. Default: IPv4 where the service has one, else IPv6. */
  readonly family?: 'IPv4' | 'IPv6' | undefined;
  /** What the API server may take to connect and to answer (for each page of a list), in milliseconds from 50. Default: 5,000. */
  readonly timeoutMs?: number | undefined;
  /**
   * A watch that says nothing for so long is taken up anew, in milliseconds from 500. API servers send a bookmark each
   * minute. Default: 90,000.
   */
  readonly idleMs?: number | undefined;
  /** All is listed anew about so often, in milliseconds from 1,000, in case a watch is deaf. Default: 600,000. */
  readonly relistMs?: number | undefined;
  readonly clock?: Clock | undefined;
  readonly rng?: Rng | undefined;
  /** Told of malformed entries. Default: the global logger. */
  readonly logger?: DiscoveryLogger | undefined;
};

/** @throws {ConfigValidationError} naming each wrong option */
export function validateOptions(options: KubernetesBackendOptions): void {
  validate('KubernetesBackend', schema, options);
}

const text = (expected: string) => v.pipe(v.string(expected), v.nonEmpty(expected));
const optionalText = (expected: string) => v.optional(text(expected));
/** It goes into a header. */
const tokenText = 'a bearer token of visible ASCII characters';
const urlText = 'a URL like "https://10.0.0.1:6443", without user, query and fragment';
const namespaceText = 'a namespace: 1 to 63 lower-case letters, digits and "-"';
const portText = 'the name of a port, or a number from 1 to 65535';
const port = v.union(
  [
    v.pipe(v.string(), v.regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)),
    v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535)),
  ],
  portText,
);
const { clock, rng, logger } = followOptions.entries;

const schema = v.pipe(
  v.strictObject(
    {
      url: v.optional(v.pipe(v.string(urlText), v.check(isServerUrl, urlText))),
      token: v.optional(v.pipe(v.string(tokenText), v.regex(/^[\x21-\x7e]+$/, tokenText))),
      tokenFile: optionalText('the path of a file'),
      ...tlsOptions.entries,
      inCluster: v.optional(
        v.strictObject(
          { folder: optionalText('the path of a folder') },
          'an object, {} for the usual folder',
        ),
      ),
      kubeconfig: v.optional(
        v.strictObject(
          { file: optionalText('the path of a file'), context: optionalText('the name of a context') },
          'an object, {} for the usual file',
        ),
      ),
      namespace: v.optional(
        v.pipe(v.string(namespaceText), v.regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/, namespaceText)),
      ),
      allNamespaces: v.optional(v.boolean('true or false')),
      labelSelector: optionalText('a label selector like "team=shop,track!=canary"'),
      port: v.optional(port),
      ports: v.optional(v.record(v.string(), port, 'an object of ports by service')),
      family: v.optional(v.picklist(['IPv4', 'IPv6'], '"IPv4" or "IPv6"')),
      timeoutMs: durationOption(50),
      idleMs: durationOption(500),
      relistMs: durationOption(1_000, 86_400_000),
      clock,
      rng,
      logger,
    },
    'an object',
  ),
  v.check(
    ({ url, inCluster, kubeconfig }) =>
      [url, inCluster, kubeconfig].filter((each) => each !== undefined).length <= 1,
    'one of url, inCluster and kubeconfig',
  ),
  v.check(
    ({ url, token, tokenFile, ca, cert, key, servername }) =>
      url !== undefined || [token, tokenFile, ca, cert, key, servername].every((each) => each === undefined),
    'a url beside token, tokenFile, ca, cert, key and servername',
  ),
  v.check(
    ({ token, tokenFile }) => token === undefined || tokenFile === undefined,
    'token or tokenFile, not both',
  ),
  v.check(({ cert, key }) => (cert === undefined) === (key === undefined), 'cert and key, or neither'),
  v.check(
    ({ url, token, tokenFile }) =>
      (token ?? tokenFile) === undefined || url === undefined || keepsSecrets(url),
    'https: a token is not sent in the clear to another host',
  ),
);

function isServerUrl(value: string): boolean {
  if (!/^https?:\/\/[^?#\s]+$/.test(value) || !URL.canParse(value)) return false;
  const { username, password } = new URL(value);
  return username === '' && password === '';
}

export function keepsSecrets(value: string): boolean {
  if (!URL.canParse(value)) return true; // that is a mistake of its own
  const { protocol, hostname } = new URL(value);
  return protocol === 'https:' || /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
}
