import type { FaultProxy, StoreServer } from '@sd/testkit';
import { EtcdCluster, EtcdServer } from '../../../../tools/servers/index.ts';
import type { EtcdBackendOptions } from '../src/index.ts';

/** etcd in one of its shapes, and how to reach it: through a proxy for each member. */
export interface Deployment {
  readonly nodes: readonly EtcdServer[];
  readonly server: StoreServer;
  connect(through: readonly FaultProxy[]): EtcdBackendOptions;
  readonly failOver?: (() => Promise<void>) | undefined;
  /** Restores what a case left broken. */
  mend(): Promise<void>;
  stop(): Promise<void>;
}

/** Clients are a user of their own, so that cases can take its rights. */
export const user = { name: 'sd', password: 'secret', prefix: '/sd-test-' };

export async function standalone(binary?: string): Promise<Deployment> {
  const server = await EtcdServer.start({ users: [user], ...(binary === undefined ? {} : { binary }) });
  return {
    nodes: [server],
    server,
    connect: ([proxy]) => ({
      endpoints: urlOf(proxy ?? server),
      username: user.name,
      password: user.password,
    }),
    mend: async () => (server.isUp ? undefined : server.start({ keepData: false })),
    stop: () => server.stop(),
  };
}

export async function cluster(): Promise<Deployment> {
  const server = await EtcdCluster.start({ users: [user] });
  const { nodes } = server;
  return {
    nodes,
    server,
    connect: (through) => ({
      endpoints: (through.length === 0 ? nodes : through).map(urlOf),
      username: user.name,
      password: user.password,
    }),
    async failOver() {
      const leader = await server.leader();
      await leader.kill();
      await server.waitUntilOk();
    },
    async mend() {
      const dead = nodes.filter(({ isUp }) => !isUp);
      await Promise.all(dead.map((node) => node.start()));
      if (dead.length > 0) await server.waitUntilOk();
    },
    stop: () => server.stop(),
  };
}

const urlOf = ({ host, port }: { readonly host: string; readonly port: number }): string =>
  `http://${host}:${port}`;
