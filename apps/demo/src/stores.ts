import type { RegistryBackend } from '@sd/core';
import { MemoryBackend, MemoryStore } from '@sd/memory';
import { seconds } from './figures.ts';

/** Which store, and where in it: data that other processes can be told. */
export interface StorePlace {
  readonly url: string;
  /** Of all keys, so that runs in one store do not see each other. */
  readonly prefix: string;
}

/** Where the instances of a run meet. */
export interface Store {
  readonly place: StorePlace;
  /** Who can reach it. Where other processes can, each instance is one. */
  readonly reach: 'process' | 'network';
  /** Makes a client of its own for whoever asks. */
  connect(): Promise<RegistryBackend>;
  /** Does what the store leaves to others, until it is disposed of; once for a run. */
  attend?(): Promise<AsyncDisposable>;
}

/** @throws {Error} when the place has a URL that {@link knownStoreUrl} would refuse */
export function openStore(place: StorePlace): Store {
  return schemeOf(place.url).open(place);
}

/**
 * A client of a store that has answered.
 * @throws why it has not, within a few seconds
 */
export async function connectTo(
  store: Store,
  { signal }: { readonly signal: AbortSignal },
): Promise<RegistryBackend> {
  const backend = await store.connect();
  const over = new AbortController();
  const timer = setTimeout(() => over.abort(new Error(`no answer within ${seconds(answerMs)}`)), answerMs);
  try {
    await backend.listServices({ signal: AbortSignal.any([signal, over.signal]) });
    return backend;
  } catch (error) {
    await backend.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

/** For the first answer, in milliseconds. Most backends have a limit of their own, and say more when they reach it. */
const answerMs = 10_000;

/** @throws {Error} naming what is expected, when there is no such store */
export function knownStoreUrl(url: string): string {
  schemeOf(url);
  return url;
}

/** For people to read: without the password. */
export function withoutSecrets(url: string): string {
  return url.replace(/\/\/.*@/, '//***@');
}

interface Scheme {
  readonly example: string;
  readonly open: (place: StorePlace) => Store;
}

/** A store that is reached by URL. Its package is loaded when it is used, and by nobody else. */
function network(example: string, connect: (place: StorePlace) => Promise<RegistryBackend>): Scheme {
  return { example, open: (place) => ({ place, reach: 'network', connect: () => connect(place) }) };
}

const redis = async (place: StorePlace): Promise<RegistryBackend> =>
  new (await import('@sd/redis')).RedisBackend(place);

/** Consul has no place for a prefix: runs in one Consul share their services. */
const consul = async ({ url }: StorePlace): Promise<RegistryBackend> => {
  const { hosts, password } = addressOf(url);
  const { ConsulBackend } = await import('@sd/consul');
  return new ConsulBackend({ url: `http://${hosts[0] ?? ''}`, token: password });
};

const etcd = async ({ url, prefix }: StorePlace): Promise<RegistryBackend> => {
  const { hosts, username, password } = addressOf(url);
  const { EtcdBackend } = await import('@sd/etcd');
  const endpoints = hosts.map((host) => `http://${host}`);
  return new EtcdBackend({ endpoints, username, password, prefix: `/${prefix}/` });
};

const zookeeper = async ({ url, prefix }: StorePlace): Promise<RegistryBackend> => {
  const { hosts, username, password, path } = addressOf(url);
  const { ZooKeeperBackend } = await import('@sd/zookeeper');
  const auth =
    password === undefined
      ? {}
      : { auth: { scheme: 'digest', credentials: `${username ?? ''}:${password}` } };
  return new ZooKeeperBackend({ connectionString: hosts.join(',') + path, root: `/${prefix}`, ...auth });
};

const inCluster = ({ url, prefix }: StorePlace) => {
  const { hosts, password, path } = addressOf(url);
  const namespace = path.slice(1) || 'default';
  const options = { url: `http://${hosts[0] ?? ''}`, namespace, token: password };
  return [options, prefix.replace(/\W+$/, '')] as const;
};

const kubernetes: Scheme = {
  example: 'k8s://:token@host:port/namespace',
  open: (place) => ({
    place,
    reach: 'network',
    connect: async () => new (await import('./kubernetes-shop.ts')).KubernetesShop(...inCluster(place)),
    attend: async () => new (await import('./kubelet.ts')).Kubelet(...inCluster(place)),
  }),
};

const schemes: Readonly<Record<string, Scheme>> = {
  memory: {
    example: 'memory:',
    open: (place) => {
      const store = new MemoryStore();
      return { place, reach: 'process', connect: async () => new MemoryBackend({ store }) };
    },
  },
  redis: network('redis://host:port', redis),
  rediss: network('rediss://host:port', redis),
  consul: network('consul://:token@host:port', consul),
  etcd: network('etcd://host:port,host:port', etcd),
  zk: network('zk://host:port,host:port', zookeeper),
  k8s: kubernetes,
};

/** As examples, for people to read. */
export const storeUrls: readonly string[] = Object.values(schemes).map(({ example }) => example);

function schemeOf(url: string): Scheme {
  const [, name = '', rest = ''] = /^([a-z0-9]+):(.*)$/.exec(url) ?? [];
  const scheme = Object.hasOwn(schemes, name) ? schemes[name] : undefined;
  const complete = name === 'memory' ? rest === '' : addressOf(url).hosts.every(isHost);
  if (scheme !== undefined && complete) return scheme;
  throw new Error(`--backend is "${withoutSecrets(url)}", expected one of ${storeUrls.join(', ')}`);
}

interface Address {
  /** `host:port`, of several where a store has them. */
  readonly hosts: readonly string[];
  readonly username: string | undefined;
  readonly password: string | undefined;
  /** With its slash; empty if there is none. */
  readonly path: string;
}

/** A URL, but for several hosts. */
function addressOf(url: string): Address {
  const [, login, hosts = '', path = ''] = /^[a-z0-9]+:\/\/(?:([^/]*)@)?([^/]*)(\/.*)?$/.exec(url) ?? [];
  const [username, password] = (login ?? '')
    .split(':')
    .map((part) => (part === '' ? undefined : decodeURIComponent(part)));
  return { hosts: hosts.split(','), username, password, path: path === '/' ? '' : path };
}

const isHost = (host: string): boolean =>
  URL.canParse(`http://${host}`) && new URL(`http://${host}`).host !== '';
