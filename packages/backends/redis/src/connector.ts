import { Cluster, Redis, type ClusterOptions, type RedisOptions } from 'ioredis';
import type { RedisConnectionOptions } from './redis-options.ts';

/** Makes clients of ioredis that are not connected yet, for one Redis, Sentinel group or Cluster. */
export interface Connector {
  /** The number of the database. */
  readonly db: number;
  /** Who we are there, for messages; empty for the default user. */
  readonly username: string;
  readonly tls: boolean;
  /** What must not stand in a message, whatever the server says. */
  readonly secrets: readonly string[];
  commands(): Redis | Cluster;
  /** For subscriptions. @param commands connected; of a Cluster, one of its nodes is taken, as any node knows all */
  subscriber(commands: Redis | Cluster, pick: () => number): Redis;
}

/**
 * What makes a client fail at once, or answer: it does not reconnect, queue or send again by itself. A command that its
 * caller has given up must not be sent later, and whoever tries again, when and how often, is decided elsewhere.
 */
function connectionOptions(timeoutMs: number) {
  return {
    lazyConnect: true,
    keyPrefix: '',
    connectTimeout: 0.9 * timeoutMs, // before its commands give up, as it can say why
    socketTimeout: timeoutMs, // a route that swallows everything
    commandTimeout: undefined,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResubscribe: false,
    autoResendUnfulfilledCommands: false,
    enableReadyCheck: false, // needs the right to INFO; a Redis that is loading says so with each answer
    enableAutoPipelining: false,
    retryStrategy: null,
    reconnectOnError: null,
    sentinelRetryStrategy: () => null,
    sentinelCommandTimeout: timeoutMs / 3, // one that does not answer leaves time for the others
    readOnly: false,
    monitor: false,
    noDelay: true,
    replyMapping: 'legacy',
    protocol: 2, // RESP3, the default of ioredis 6, costs half as much CPU again for long arrays
  } as const satisfies RedisOptions;
}

function clusterOptions(timeoutMs: number, given: ClusterOptions = {}) {
  const { retryStrategy: _, enableOfflineQueue: __, readOnly: ___, ...node } = connectionOptions(timeoutMs);
  return {
    ...given,
    lazyConnect: true,
    keyPrefix: '',
    clusterRetryStrategy: null,
    enableOfflineQueue: false,
    enableReadyCheck: false,
    enableAutoPipelining: false,
    scaleReads: 'master',
    slotsRefreshTimeout: timeoutMs / 3, // as with sentinels: a node that does not answer leaves time for the others
    redisOptions: { ...given.redisOptions, ...node },
  } satisfies ClusterOptions;
}

export function makeConnector(options: RedisConnectionOptions, timeoutMs: number): Connector {
  const own = connectionOptions(timeoutMs);
  const subscriber: Connector['subscriber'] = (commands, pick) => {
    if (!isCluster(commands)) return commands.duplicate(own);
    const nodes = commands.nodes('all');
    const node = nodes[Math.floor(pick() * nodes.length)];
    if (node === undefined) throw new Error('the Cluster has no reachable node');
    return node.duplicate(own);
  };
  const about = ({ db, username, tls, password, sentinelPassword }: RedisOptions) => ({
    db: db ?? 0,
    username: username ?? '',
    tls: tls !== undefined,
    secrets: [password, sentinelPassword].flatMap((each) =>
      each === undefined || each === '' ? [] : [each],
    ),
    subscriber,
  });

  if (options.cluster !== undefined) {
    const { nodes, options: given } = options.cluster;
    return {
      ...about({ ...given?.redisOptions }),
      commands: () => hearing(new Cluster([...nodes], clusterOptions(timeoutMs, given))),
    };
  }
  const { client } = options;
  if (client === undefined) {
    const url = options.url ?? (options.redis === undefined ? 'redis://127.0.0.1:6379' : undefined);
    const settings = { ...options.redis, ...own };
    const make = (): Redis => (url === undefined ? new Redis(settings) : new Redis(url, settings));
    return { ...about(make().options), commands: make };
  }
  if (isCluster(client)) {
    return {
      ...about({ ...client.options.redisOptions }),
      commands: () => hearing(client.duplicate([], clusterOptions(timeoutMs, client.options))),
    };
  }
  return { ...about(client.options), commands: () => client.duplicate(own) };
}

/**
 * A command for a slot that moves is announced to its next node (ASKING), and ioredis leaves what becomes of that to
 * nobody: a refusal, or a connection that breaks, would end the process. The command itself fails as well.
 */
function hearing(cluster: Cluster): Cluster {
  return cluster.on('+node', (node: Redis) => {
    const asking = node.asking.bind(node);
    node.asking = () => {
      const announced = asking();
      announced.catch(() => undefined);
      return announced;
    };
    // For a command that hears only now that its slot has moved: nobody else would end it, and the end waits for all nodes.
    if (cluster.status === 'disconnecting') node.disconnect();
  });
}

function isCluster(client: Redis | Cluster): client is Cluster {
  return client.isCluster;
}
