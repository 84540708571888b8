import { RedisServer, type RedisServerOptions } from './redis-server.ts';
import { ServerGroup, startAll } from './server-group.ts';
import { until } from './until.ts';

const sentinelCount = 3;
const quorum = 2;

/**
 * A master and its replica, watched by three sentinels that replace the master after two to four seconds.
 *
 * `kill()`, `start()`, `restart()`, `freeze()` and `thaw()` act on the master and the replica; the sentinels go on.
 * Each of `sentinels` can be killed or frozen by itself. `stop()` ends all five.
 */
export class RedisSentinel extends ServerGroup {
  /** Under which the sentinels know the master. */
  readonly name = masterName;
  readonly sentinels: readonly RedisServer[];
  /** The master at first, then its replica. */
  readonly nodes: readonly RedisServer[];
  protected readonly members: readonly RedisServer[];

  static async start(options: Omit<RedisServerOptions, 'tls' | 'password'> = {}): Promise<RedisSentinel> {
    const master = await DataNode.start(options);
    const replica = await startAll(1, () => DataNode.startReplica(options, master)).catch(stopping(master));
    const nodes = [master, ...replica];
    const sentinels = await startAll(sentinelCount, (index) => Sentinel.watch(options, master, index)).catch(
      stopping(...nodes),
    );
    const group = new RedisSentinel(nodes, sentinels);
    await group.waitUntilOk().catch(stopping(group));
    return group;
  }

  private constructor(nodes: readonly RedisServer[], sentinels: readonly RedisServer[]) {
    super();
    this.nodes = nodes;
    this.members = nodes;
    this.sentinels = sentinels;
  }

  protected override get all(): readonly RedisServer[] {
    return [...this.nodes, ...this.sentinels];
  }

  /**
   * The master as the sentinels see it now, alive or not; waits while they do not agree. Where all of them are away, the
   * one that takes itself for it.
   */
  async master(): Promise<RedisServer> {
    return until('the sentinels agree on the master', async () => {
      if (!this.sentinels.some(({ isUp }) => isUp)) return this.#selfStyled();
      const addresses = await this.#ask((sentinel) =>
        sentinel.command('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', this.name),
      );
      const ports = new Set(
        addresses.map((address) => (Array.isArray(address) ? Number(address[1]) : undefined)),
      );
      return ports.size === 1 && this.nodes.find(({ port }) => ports.has(port));
    });
  }

  /** Resolves when all live sentinels see a live master and a replica in step, and the two say the same of themselves. */
  override async waitUntilOk(): Promise<void> {
    await until('one master with a connected replica', async () => {
      const master = await this.master();
      if (!master.isUp) return false;
      const replication = await master.info('replication');
      const views = await this.#ask((sentinel) => seesAll(sentinel));
      return (
        replication.get('role') === 'master' &&
        /state=online/.test(replication.get('slave0') ?? '') &&
        views.every(Boolean)
      );
    });
  }

  async #selfStyled(): Promise<RedisServer | undefined> {
    for (const node of this.nodes) {
      if (node.isUp && (await node.info('replication')).get('role') === 'master') return node;
    }
    return undefined;
  }

  #ask<T>(question: (sentinel: RedisServer) => Promise<T>): Promise<readonly T[]> {
    return Promise.all(this.sentinels.filter((sentinel) => sentinel.isUp).map(question));
  }
}

const masterName = 'sd';

class DataNode extends RedisServer {
  static async startReplica(options: RedisServerOptions, master: RedisServer): Promise<DataNode> {
    const replica = new DataNode(options);
    replica.writeConfigFile([`replicaof ${master.host} ${master.port}`]);
    return replica.launch();
  }

  static override async start(options: RedisServerOptions): Promise<DataNode> {
    return new DataNode(options).launch();
  }

  protected override commandLine(): readonly [string, ...string[]] {
    return [...super.commandLine(), '--repl-diskless-sync-delay', '0'];
  }
}

class Sentinel extends RedisServer {
  static async watch({ binary }: RedisServerOptions, master: RedisServer, index: number): Promise<Sentinel> {
    const sentinel = new Sentinel(binary === undefined ? {} : { binary });
    // The last one is slower, so that it votes for another and never three vote for themselves.
    const downAfterMs = index === sentinelCount - 1 ? 2000 : 1000;
    sentinel.writeConfigFile([
      `sentinel monitor ${masterName} ${master.host} ${master.port} ${quorum}`,
      `sentinel down-after-milliseconds ${masterName} ${downAfterMs}`,
      `sentinel failover-timeout ${masterName} 2000`,
    ]);
    return sentinel.launch();
  }

  protected override commandLine(): readonly [string, ...string[]] {
    return [...super.commandLine(), '--sentinel'];
  }

  /**
   * By default sentinels hear of each other every 2 s and of replicas every 10 s, and one that was frozen for 2 s only
   * looks on for 30 s; this can only be set at run time.
   * PING-PERIOD stays: five of it is how old the news of a replica may be that is to become the master.
   */
  protected override async isReady(): Promise<boolean> {
    if (!(await super.isReady())) return false;
    const periods = ['INFO-PERIOD', 200, 'PUBLISH-PERIOD', 100, 'ASK-PERIOD', 100, 'TILT-PERIOD', 1_000];
    await this.command('SENTINEL', 'DEBUG', ...periods);
    return true;
  }
}

/** Whether this sentinel knows the other sentinels, and a healthy master with a healthy replica. */
async function seesAll(sentinel: RedisServer): Promise<boolean> {
  const master = pairs(await sentinel.command('SENTINEL', 'MASTER', masterName));
  const replicas = await sentinel.command('SENTINEL', 'REPLICAS', masterName);
  const [replica] = Array.isArray(replicas) ? replicas.map(pairs) : [];
  return (
    master.get('flags') === 'master' &&
    master.get('num-other-sentinels') === String(sentinelCount - 1) &&
    replica?.get('flags') === 'slave' &&
    replica.get('master-link-status') === 'ok'
  );
}

/** `[name, value, name, value]` */
function pairs(reply: unknown): ReadonlyMap<string, string> {
  const flat = Array.isArray(reply) ? reply.map(String) : [];
  return new Map(flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1] ?? '']] : [])));
}

function stopping(...servers: readonly { stop(): Promise<void> }[]): (error: unknown) => Promise<never> {
  return async (error) => {
    await Promise.all(servers.map((server) => server.stop()));
    throw error;
  };
}
