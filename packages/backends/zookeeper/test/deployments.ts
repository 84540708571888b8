import type { FaultProxy, StoreServer } from '@sd/testkit';
import { ZooKeeperEnsemble, ZooKeeperServer } from '../../../../tools/servers/index.ts';
import type { ZooKeeperBackendOptions } from '../src/index.ts';

/** ZooKeeper in one of its shapes, and how to reach it: directly, or through a proxy for each server. */
export interface Deployment {
  readonly servers: readonly ZooKeeperServer[];
  readonly server: StoreServer;
  /** How much later than its ttl a session may expire, in milliseconds. */
  readonly lateMs: number;
  connect(through: readonly FaultProxy[]): ZooKeeperBackendOptions;
  readonly failOver?: (() => Promise<void>) | undefined;
  /** Restores what a case left broken. */
  readonly mend?: (() => Promise<void>) | undefined;
  stop(): Promise<void>;
}

/** Clients are somebody, so that cases can take their rights. */
const auth = { scheme: 'digest', credentials: 'sd:secret' };

export async function standalone(): Promise<Deployment> {
  const server = await ZooKeeperServer.start();
  return {
    servers: [server],
    server,
    lateMs: 200,
    connect: (through) => ({
      connectionString: addressesOf(through.length === 0 ? [server] : through),
      auth,
    }),
    stop: () => server.stop(),
  };
}

export async function ensemble(): Promise<Deployment> {
  const group = await ZooKeeperEnsemble.start();
  const { nodes } = group;
  return {
    servers: nodes,
    server: group,
    lateMs: 400, // followers tell the leader of their clients once in a while
    connect: (through) => ({ connectionString: addressesOf(through.length === 0 ? nodes : through), auth }),
    async failOver() {
      const leader = await group.leader();
      await leader.kill();
      await group.waitUntilOk();
    },
    async mend() {
      const dead = nodes.filter(({ isUp }) => !isUp);
      await Promise.all(dead.map((node) => node.start()));
      if (dead.length > 0) await group.waitUntilOk();
    },
    stop: () => group.stop(),
  };
}

export function addressesOf(places: readonly { readonly host: string; readonly port: number }[]): string {
  return places.map(({ host, port }) => `${host}:${port}`).join(',');
}
