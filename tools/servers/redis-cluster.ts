import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { fields, RedisServer, type RedisServerOptions } from './redis-server.ts';
import { ServerGroup, startAll } from './server-group.ts';
import { until } from './until.ts';

export interface RedisClusterOptions extends Omit<RedisServerOptions, 'tls'> {
  /** Of each of the three masters. Default: 1. */
  readonly replicas?: 0 | 1;
}

const masterCount = 3;
const slotCount = 16_384;

/** Three masters with a replica each. A master that is gone is replaced after two to four seconds. */
export class RedisCluster extends ServerGroup {
  /** At first the masters, then their replicas in the same order. */
  readonly nodes: readonly RedisServer[];
  protected readonly members: readonly RedisServer[];

  static async start({ replicas = 1, ...options }: RedisClusterOptions = {}): Promise<RedisCluster> {
    const nodes = await startAll(masterCount * (1 + replicas), () => ClusterNode.start(options));
    const cluster = new RedisCluster(nodes);
    try {
      await cluster.#form(nodes);
      await cluster.waitUntilOk();
      return cluster;
    } catch (error) {
      await cluster.stop();
      throw error;
    }
  }

  private constructor(nodes: readonly ClusterNode[]) {
    super();
    this.nodes = nodes;
    this.members = nodes;
  }

  /** Of the first node. */
  get url(): string {
    return this.#node(0).url;
  }

  /** The live master that serves the slot of this key; waits while there is none. */
  async masterOf(key: string): Promise<RedisServer> {
    return until(`a live master serves "${key}"`, async () => {
      const live = this.nodes.filter((node) => node.isUp);
      const slot = Number(await live[0]?.command('CLUSTER', 'KEYSLOT', key));
      const views = await Promise.all(live.map(ownView));
      // A master that comes back claims its old slots until it hears of a later epoch.
      const claims = views
        .map((view, index) => ({ ...view, node: live[index] }))
        .filter(({ slots }) => slots.some(([first, last]) => first <= slot && slot <= last))
        .sort((a, b) => b.epoch - a.epoch);
      return claims[0]?.node;
    });
  }

  /**
   * Resolves when the live masters serve every slot, each live node says so, and live replicas are in step.
   * It waits for a failover, which nobody has noticed yet just after a master was killed.
   */
  override async waitUntilOk(): Promise<void> {
    const live = this.nodes.filter((node) => node.isUp);
    await until('the live nodes serve all slots and say cluster_state:ok', async () => {
      const views = await Promise.all(live.map(ownView));
      const served = views.flatMap(({ slots }) => slots.map(([first, last]) => last - first + 1));
      if (served.reduce((sum, count) => sum + count, 0) !== slotCount) return false;
      return (await Promise.all(live.map(isOk))).every(Boolean);
    });
  }

  /**
   * All nodes lose their data and each other, and form another cluster at the same addresses: with ids of its own, with
   * masters where the replicas were at first, and with other slots for each.
   */
  async formAnew(): Promise<void> {
    await this.kill();
    for (const { folder } of this.nodes) rmSync(nodesFile(folder));
    await Promise.all(this.nodes.map((node) => node.start({ keepData: false })));
    await this.#form(this.nodes.toReversed());
    await this.waitUntilOk();
  }

  /** As `redis-cli --cluster create` does, but everyone meets everyone, which saves waiting for gossip. */
  async #form(nodes: readonly RedisServer[]): Promise<void> {
    await Promise.all(
      nodes.map(async (node, index) => {
        await node.command('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
        for (const other of nodes.slice(0, index)) {
          await node.command('CLUSTER', 'MEET', other.host, ...other.ports);
        }
        if (index < masterCount) await node.command('CLUSTER', 'ADDSLOTSRANGE', ...slotRange(index));
      }),
    );
    await until('each node knows all others', async () => {
      const views = await Promise.all(nodes.map((node) => node.command('CLUSTER', 'NODES')));
      return views.every((view) => knownNodes(view).length === nodes.length);
    });
    await Promise.all(
      nodes.slice(masterCount).map(async (replica, index) => {
        const master = await nodes[index]?.command('CLUSTER', 'MYID');
        await replica.command('CLUSTER', 'REPLICATE', String(master));
      }),
    );
  }

  #node(index: number): RedisServer {
    const node = this.nodes[index];
    if (node === undefined) throw new RangeError(`No node ${index}`);
    return node;
  }
}

class ClusterNode extends RedisServer {
  static override async start(options: RedisServerOptions): Promise<ClusterNode> {
    return new ClusterNode(options, 2).launch();
  }

  protected override commandLine(): readonly [string, ...string[]] {
    const [, busPort] = this.ports;
    return [
      ...super.commandLine(),
      ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort)],
      // Outside of the data folder: without its data a node is still a member.
      ...['--cluster-config-file', nodesFile(this.folder)],
      ...['--cluster-node-timeout', '1500', '--cluster-replica-validity-factor', '0'],
      ...['--cluster-allow-replica-migration', 'no', '--repl-diskless-sync-delay', '0'],
    ];
  }
}

/** What a node knows of itself and of the others. */
const nodesFile = (folder: string): string => join(folder, 'nodes.conf');

async function isOk(node: RedisServer): Promise<boolean> {
  const [cluster, replication] = await Promise.all([
    node.command('CLUSTER', 'INFO'),
    node.info('replication'),
  ]);
  const info = fields(cluster);
  return (
    info.get('cluster_state') === 'ok' &&
    info.get('cluster_slots_ok') === String(slotCount) &&
    (replication.get('role') === 'master' || replication.get('master_link_status') === 'up')
  );
}

function slotRange(index: number): readonly [first: number, last: number] {
  const start = (part: number): number => Math.floor((slotCount * part) / masterCount);
  return [start(index), start(index + 1) - 1];
}

/** One line a node, without those of a handshake that goes on. */
function knownNodes(view: unknown): readonly string[] {
  return String(view)
    .split('\n')
    .filter((line) => line !== '' && !line.includes('handshake'));
}

/** What a node says of itself: `id address myself,master - 0 0 epoch connected 0-5460 5470` */
async function ownView(node: RedisServer) {
  const line = knownNodes(await node.command('CLUSTER', 'NODES')).find((each) => each.includes('myself'));
  const [, , flags = '', , , , epoch, , ...ranges] = (line ?? '').split(' ');
  const slots = ranges
    .map((range) => range.split('-').map(Number))
    .map(([first = NaN, last = first]) => [first, last] as const);
  return { epoch: Number(epoch), slots: flags.includes('master') ? slots : [] };
}
