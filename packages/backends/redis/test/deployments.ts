import { Cluster, Redis } from 'ioredis';
import type { FaultProxy, StoreServer } from '@sd/testkit';
import { RedisCluster, RedisSentinel, RedisServer } from '../../../../tools/servers/index.ts';
import type { RedisConnectionOptions } from '../src/redis-options.ts';

/** Redis in one of its shapes, and how to reach it: directly, or through a proxy for each node. */
export interface Deployment {
  /** Those that we started ourselves, and may do with as we like. */
  readonly nodes: readonly RedisServer[];
  readonly server?: StoreServer | undefined;
  connect(through: readonly FaultProxy[]): RedisConnectionOptions;
  /** A client for those who play tricks. */
  stranger(): Redis | Cluster;
  readonly failOver?: (() => Promise<void>) | undefined;
  /** Restores what a case left broken. */
  readonly mend?: (() => Promise<void>) | undefined;
  stop(): Promise<void>;
}

/** Clients are an ACL user of their own, so that cases can take its rights. */
const user = { username: 'sd', password: 'secret' };
const configFile = [`user ${user.username} on >${user.password} ~* &* +@all`];

export async function standalone(binary?: string): Promise<Deployment> {
  const server = await RedisServer.start({ configFile, ...(binary === undefined ? {} : { binary }) });
  const urlOf = ({ host, port }: { host: string; port: number }): string =>
    `redis://${user.username}:${user.password}@${host}:${port}`;
  return {
    nodes: [server],
    server,
    connect: ([proxy]) => ({ url: urlOf(proxy ?? server) }),
    stranger: () => quiet(new Redis(server.url, { lazyConnect: true })),
    stop: () => server.stop(),
  };
}

/** One that runs already, and stays as it is. */
export async function external(url: string): Promise<Deployment> {
  return {
    nodes: [],
    connect: () => ({ url }),
    stranger: () => quiet(new Redis(url, { lazyConnect: true })),
    stop: () => Promise.resolve(),
  };
}

export async function cluster(): Promise<Deployment> {
  const server = await RedisCluster.start({ configFile });
  const { nodes } = server;
  return {
    nodes,
    server,
    connect: (through) => ({
      cluster: {
        nodes: (through.length === 0 ? nodes : through).map(({ host, port }) => ({ host, port })),
        options: { redisOptions: user, natMap: natMap(nodes, through) },
      },
    }),
    stranger: () =>
      quiet(
        new Cluster(
          nodes.map(({ host, port }) => ({ host, port })),
          { lazyConnect: true },
        ),
      ),
    async failOver() {
      const master = await server.masterOf('{orders}');
      await master.kill();
      await server.masterOf('{orders}');
      await server.waitUntilOk();
    },
    mend: () => startAgain(server, nodes),
    stop: () => server.stop(),
  };
}

export async function sentinel(): Promise<Deployment> {
  const server = await RedisSentinel.start({ configFile });
  const { nodes, sentinels, name } = server;
  const addresses = sentinels.map(({ host, port }) => ({ host, port }));
  return {
    nodes,
    server,
    connect: (through) => ({
      redis: { ...user, name, sentinels: addresses, natMap: natMap(nodes, through) },
    }),
    stranger: () => quiet(new Redis({ name, sentinels: addresses, lazyConnect: true })),
    async failOver() {
      const master = await server.master();
      await master.kill();
      for (let next = master; next === master;) next = await server.master();
    },
    mend: () => startAgain(server, nodes),
    stop: () => server.stop(),
  };
}

/** Where clients find the nodes that they are told of. */
function natMap(nodes: readonly RedisServer[], through: readonly FaultProxy[]) {
  return Object.fromEntries(
    nodes.map((node, index) => {
      const { host, port } = through[index] ?? node;
      return [`${node.host}:${node.port}`, { host, port }];
    }),
  );
}

async function startAgain(group: RedisCluster | RedisSentinel, nodes: readonly RedisServer[]): Promise<void> {
  const dead = nodes.filter(({ isUp }) => !isUp);
  if (dead.length === 0) return;
  await Promise.all(dead.map((node) => node.start()));
  await group.waitUntilOk();
}

/** It is reconnecting while cases kill the server, and has nobody to tell. */
function quiet<C extends Redis | Cluster>(client: C): C {
  client.on('error', () => undefined);
  return client;
}
