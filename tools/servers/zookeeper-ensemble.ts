import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePorts } from './free-ports.ts';
import { ServerGroup, startAll } from './server-group.ts';
import { until } from './until.ts';
import { ZooKeeperServer, type ZooKeeperServerOptions } from './zookeeper-server.ts';

const memberCount = 3;

/** Three nodes of ZooKeeper that form one. The two that are left elect another leader when theirs is gone. */
export class ZooKeeperEnsemble extends ServerGroup {
  readonly nodes: readonly ZooKeeperServer[];
  protected readonly members: readonly ZooKeeperServer[];

  static async start(options: ZooKeeperServerOptions = {}): Promise<ZooKeeperEnsemble> {
    for (let attempt = 1; ; attempt += 1) {
      const ports = await freePorts(2 * memberCount);
      try {
        const nodes = await startAll(memberCount, (index) => Member.join(options, index, ports));
        const ensemble = new ZooKeeperEnsemble(nodes);
        await ensemble.waitUntilOk();
        return ensemble;
      } catch (error) {
        // Another process took one of the ports meanwhile, or the machine was too busy for an election.
        if (attempt === 3) throw error;
      }
    }
  }

  private constructor(nodes: readonly ZooKeeperServer[]) {
    super();
    this.nodes = nodes;
    this.members = nodes;
  }

  /** The live leader; waits while there is none. */
  async leader(): Promise<ZooKeeperServer> {
    return until('a live leader', async () => {
      for (const node of this.nodes) if (node.isUp && (await node.mode()) === 'leader') return node;
      return undefined;
    });
  }

  /** Resolves when all that live serve, one of them as the leader. */
  override async waitUntilOk(): Promise<void> {
    await until('all live nodes serve, with one leader', async () => {
      const live = this.nodes.filter(({ isUp }) => isUp);
      const modes = await Promise.all(live.map((node) => node.mode()));
      return modes.filter((mode) => mode === 'leader').length === 1 && !modes.includes(undefined);
    });
  }
}

class Member extends ZooKeeperServer {
  readonly #index: number;
  readonly #ports: readonly number[];

  static async join(
    options: ZooKeeperServerOptions,
    index: number,
    ports: readonly number[],
  ): Promise<ZooKeeperServer> {
    return new Member(options, index, ports).launch();
  }

  private constructor(options: ZooKeeperServerOptions, index: number, ports: readonly number[]) {
    super(options);
    this.#index = index;
    this.#ports = ports;
  }

  protected override memberLines(): readonly string[] {
    writeFileSync(join(this.dataFolder, 'myid'), `${this.#index + 1}\n`);
    const peers = Array.from({ length: memberCount }, (_, index) => {
      const [quorum, election] = this.#ports.slice(2 * index, 2 * index + 2);
      return `server.${index + 1}=${this.host}:${quorum}:${election}`;
    });
    // Whoever has no answer asks again soon, and not after twice as long each time.
    const election = ['fastleader.minNotificationInterval=50', 'fastleader.maxNotificationInterval=200'];
    // Nodes that stood still together, for less than 10 s, do not take each other for silent. If they did, and came back to
    // a leader that has not noticed, it might take the first change that they confirm for the answer to its greeting, and
    // wait for ever until a majority confirms that change (ZOOKEEPER-4685).
    return ['initLimit=50', 'syncLimit=100', 'cnxTimeout=500', ...election, ...peers];
  }
}
